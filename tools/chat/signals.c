/* signals.c: what ends an answer, or a conversation. */
#include "tools/chat/chat.h"

#include <signal.h>

static volatile sig_atomic_t last;
static weft_session *session; /* set before the handlers are */

/* Cancelling is one operation on an atomic number. */
static void on_signal(int number)
{
    last = number;
    weft_session_cancel(session);
}

void chat_signals_begin(weft_session *s)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    session = s;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = { .sa_handler = on_signal }, old; /* reads are interrupted: no SA_RESTART */
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
}

int chat_signal(void)
{
    return last;
}

void chat_signal_clear(void)
{
    last = 0;
}
