/* run.c: the steps of a pull, from the arguments to the path that is printed. */
#include "tools/pull/run.h"

#include <signal.h>
#include <string.h>

#include "tools/pull/pull.h"

static bool is_weights(const pull_file *f)
{
    const char *dot = strrchr(f->path, '.');
    return dot && (!strcmp(dot, ".safetensors") || !strcmp(dot, ".gguf"));
}

/* The small ones first: what is wrong with them shows early. */
static weft_status fetch_all(pull_job *j, cli_work *w, weft_error *err)
{
    for (int weights = 0; weights < 2; weights++)
        for (size_t i = 0; i < j->n; i++)
            if (j->files[i].wanted && is_weights(&j->files[i]) == weights) WEFT_TRY(pull_blob(j, &j->files[i], w, err));
    return WEFT_OK;
}

static void say_what(const pull_job *j, uint64_t missing)
{
    size_t n = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < j->n; i++) {
        n += j->files[i].wanted;
        all += j->files[i].wanted ? j->files[i].size : 0;
    }
    cli_progress_end();
    fprintf(stderr, "%s@%s: %zu of %zu files, %.1f MiB, of which %.1f MiB are to come%s\n", j->repository,
            j->revision, n, j->n, (double)all / 0x1p20, (double)missing / 0x1p20,
            j->n_include ? "" : ": configuration, tokenizer and weights (others by --include)");
}

static weft_status check_names(const pull_job *j, weft_error *err)
{
    char shown[200];
    for (size_t i = 0; i < j->n; i++)
        if (j->files[i].wanted && !pull_is_safe_path(j->files[i].path))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: '%s': a name that could lead out of its folder", j->repository,
                             pull_shown(j->files[i].path, shown, sizeof shown));
    return WEFT_OK;
}

static weft_status fetch_wanted(pull_job *j, weft_error *err)
{
    uint64_t bytes, missing;
    cli_work w;
    WEFT_TRY(check_names(j, err)); /* with the shards, if an index has named some */
    WEFT_TRY(pull_check_room(j, &bytes, &missing, err));
    say_what(j, missing);
    weft_status s = cli_work_begin(&w, "pulling", bytes, "B", err);
    if (!s) s = fetch_all(j, &w, err);
    cli_work_end(&w);
    return s;
}

/* Fetches the index, and with it knows all that is wanted. */
static weft_status fetch_index(pull_job *j, const pull_file *index, weft_error *err)
{
    uint64_t bytes, missing;
    char path[HUB_MAX_PATH];
    bool here;
    if (!pull_blob_path(j, index, path, &here))
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: the path is too long", j->folder);
    WEFT_TRY(pull_check_room(j, &bytes, &missing, err));
    WEFT_TRY(pull_blob(j, index, NULL, err));
    return pull_choose_shards(j, path, err);
}

static weft_status pull(pull_job *j, weft_error *err)
{
    const pull_file *index;
    WEFT_TRY(pull_list(j, err));
    WEFT_TRY(pull_choose(j, &index, err));
    WEFT_TRY(pull_prepare(j, err));
    if (index) WEFT_TRY(fetch_index(j, index, err));
    WEFT_TRY(fetch_wanted(j, err));
    return pull_link(j, err);
}

int pull_run(const cli_args *a)
{
    hub_settings hub;
    weft_error err;
    char repository[HUB_MAX_NAME + 1];
    pull_job j = { .hub = &hub, .repository = repository };
    if (!hub_split(a->model, repository, &j.revision))
        return cli_misuse("pull: '%s': expected a repository's name, such as EleutherAI/pythia-160m, or NAME@REVISION",
                          a->model);
    if (!j.revision) j.revision = "main";
    int status = hub_settings_read(&hub);
    if (!status && hub.offline) status = cli_fail("pull: HF_HUB_OFFLINE is set: nothing is fetched");
    if (!status) {
        j.n_include = cli_texts(a, "include", &j.include);
        signal(SIGPIPE, SIG_IGN); /* what is written to a connection that has gone fails */
        cli_progress(); /* from now on Ctrl-C ends it orderly */
        weft_status s = pull_http_open(&j.http, &hub, repository, &err);
        j.http.retries = cli_u32(a, "retries", 5);
        j.http.wait = cli_f32(a, "wait", 1);
        if (!s) s = pull(&j, &err);
        cli_progress_end();
        if (s) status = cli_report(&err);
        else printf("%s\n", j.model);
        pull_http_close(&j.http);
    }
    pull_list_free(&j);
    return status;
}
