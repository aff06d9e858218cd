/* signals.c: what ends an answer, or a conversation. */
#include "tools/chat/chat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t last;
static weft_session *session; /* set before the handlers are */
static int told[2] = { -1, -1 }; /* a pipe: a byte for each signal, whichever thread it came to, and whenever */

/* Cancelling is one operation on an atomic number. */
static void on_signal(int number)
{
    const int before = errno;
    last = number;
    weft_session_cancel(session);
    if (write(told[1], "", 1) < 0) errno = before;
    errno = before;
}

bool chat_signals_begin(weft_session *s)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    session = s;
    if (pipe2(told, O_CLOEXEC | O_NONBLOCK)) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = { .sa_handler = on_signal }, old; /* reads are interrupted: no SA_RESTART */
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
    return true;
}

int chat_signal(void)
{
    return last;
}

void chat_signal_clear(void)
{
    char bytes[16];
    last = 0;
    while (read(told[0], bytes, sizeof bytes) > 0) continue;
}

bool chat_await(int fd)
{
    struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = told[0], .events = POLLIN } };
    while (!last && !p[0].revents)
        if (poll(p, 2, -1) < 0 && errno != EINTR) return true; /* who reads is told */
    return !last;
}
