/* definitions.c: which architectures there are, the caller's before the library's own, and which one a configuration
 * names. */
#include "models/checkpoint/file.h"
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static weft_status check(const weft_model_definition *d, weft_error *err)
{
    if (!d->architecture || !*d->architecture || !d->build)
        return WEFT_FAIL(err, WEFT_INVALID, "a model definition needs an architecture's name and a build function");
    return WEFT_OK;
}

weft_status weft__take_definitions(weft_model *m, const weft_model_desc *desc, weft_error *err)
{
    uint32_t n = desc->graph ? 1 : desc->n_definitions;
    const weft_model_definition *list = desc->graph ? desc->graph : desc->definitions;
    for (uint32_t i = 0; i < n; i++) WEFT_TRY(check(&list[i], err));
    m->own = malloc(n * sizeof *m->own + 1);
    if (!m->own) return WEFT_OOM_FAIL(err, "model definitions");
    if (n) memcpy(m->own, list, n * sizeof *list);
    m->n_own = n;
    m->graph_alone = desc->graph != NULL;
    return WEFT_OK;
}

/* "MyForCausalLM, GPTNeoX, Llama": the caller's architectures, then the families that the library has. */
static void list_architectures(const weft_model *m, char *out, size_t size)
{
    size_t n = 0;
    const weft__arch *a;
    for (uint32_t i = 0; i < m->n_own && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", m->own[i].architecture);
    for (size_t i = 0; (a = weft__arch_at(i)) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", a->family);
}

static weft_status unknown(const weft_model *m, const char *name, weft_error *err)
{
    char known[1024];
    if (!name)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: no configuration of a model: neither 'architectures' nor 'model_type' says which it is; "
                         "give the folder, or its config.json",
                         m->config.origin);
    list_architectures(m, known, sizeof known);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: architecture '%.100s' is not known; known families are %s; "
                     "a text can say what it is (model.weft in its folder, or --graph)", m->config.origin, name, known);
}

/* The first of the caller's that the configuration names; NULL: none. They may leave the type open. */
static const weft_model_definition *find_own(const weft_model *m, const char *name, const char *type)
{
    for (uint32_t i = 0; i < m->n_own; i++) {
        const weft_model_definition *d = &m->own[i];
        if (m->graph_alone || (name ? !strcmp(name, d->architecture) : type && d->type && !strcmp(d->type, type)))
            return d;
    }
    return NULL;
}

/* A name alone does not do where the type is another one's. */
static weft_status check_type(const weft_model *m, const char *name, const char *type, const char *wanted,
                              weft_error *err)
{
    if (m->graph_alone || !type || !wanted || !strcmp(type, wanted)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: architecture '%s' is of model_type '%s', not '%.100s'",
                     m->config.origin, name, wanted, type);
}

/* ---- the library's ---- */

/* The type of the language model in one that sees or hears. */
static const char *wrapped_type(const weft_model *m, const weft__wrapper *w)
{
    const char *type;
    return weft_config_file_text(m->hf, "text_config.model_type", &type) == 1 ? type : w->text_type;
}

/* NULL, or what is not known of it. */
static const char *find_wrapped(weft_model *m, const char *name)
{
    const weft__wrapper *w = m->wrapper;
    for (size_t k = 0; k < WEFT__WRAPPER_CLASSES; k++)
        if (!name || !strcmp(w->classes[k].name, name)) m->class_ = m->class_ ? m->class_ : &w->classes[k];
    m->arch = weft__arch_of_type(wrapped_type(m, w));
    return !m->class_ ? name : m->arch ? NULL : wrapped_type(m, w);
}

static void find_class(weft_model *m, const char *name, const char *type)
{
    if (name) m->class_ = weft__class_find(name, &m->arch);
    else if ((m->arch = weft__arch_of_type(type))) m->class_ = &m->arch->classes[0];
}

const weft__class *weft__definition_class(const weft_model *m, weft_head head)
{
    if (m->definition) return NULL;
    for (size_t k = 0; m->wrapper && k < WEFT__WRAPPER_CLASSES; k++)
        if (m->wrapper->classes[k].head == head) return &m->wrapper->classes[k];
    return m->arch && !m->wrapper ? weft__class_of_head(m->arch, head) : NULL;
}

/* ---- texts ---- */

/* The model is its text. Files have the names of the architecture that the configuration says, if that is known. */
static void use_text(weft_model *m, const char *name, const char *type)
{
    const char *inner = m->wrapper ? wrapped_type(m, m->wrapper) : type;
    m->class_ = NULL;
    m->arch = weft__arch_of_type(inner);
    if (!m->arch && !m->wrapper) (void)weft__class_find(name, &m->arch);
    m->definition = &m->text.definition;
    m->info.head = m->definition->head;
}

/* Of an architecture that nobody knows: the folder's own text, if it has one. */
static weft_status use_folder_text(weft_model *m, const char *name, const char *type, const char *what,
                                   weft_error *err)
{
    bool found;
    WEFT_TRY(weft__text_take_folder(m, &found, err));
    if (!found) return unknown(m, what, err);
    use_text(m, name, type);
    if (!what) return weft__model_add_note(m, err, "the model is what %s says", m->text.origin);
    return weft__model_add_note(m, err, "the model is what %s says, for architecture '%.100s' is not known",
                                m->text.origin, what);
}

static weft_status note_unused_text(weft_model *m, weft_error *err)
{
    weft_status s = WEFT_OK;
    if (m->graph_alone || !m->folder) return WEFT_OK;
    char *path = weft__text_folder_path(m);
    if (!path) return WEFT_OOM_FAIL(err, "a path");
    if (weft__path_exists(path))
        s = weft__model_add_note(m, err, "%s is not used, for %s is known (--graph takes it all the same)", path,
                                 weft__definition_name(m));
    free(path);
    return s;
}

static weft_status check_params(const weft_model *m, weft_error *err)
{
    if (m->text.tree || !m->text.n_params) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_INVALID, "%s: parameter '%.100s' is given, but the model is no text that could have it",
                     m->path, m->text.params[0].name);
}

/* ---- which it is ---- */

static weft_status find_known(weft_model *m, const char *name, const char *type, weft_error *err)
{
    const weft__wrapper *of_other_type = weft__wrapper_of_class(name);
    const char *what = name ? name : type;
    m->wrapper = weft__config_wrapper(m->hf);
    if (m->wrapper) what = find_wrapped(m, name);
    else if (of_other_type) return check_type(m, name, type, of_other_type->config.type, err);
    else find_class(m, name, type);
    if (!m->class_ || !m->arch) return use_folder_text(m, name, type, what, err);
    m->info.head = m->class_->head;
    WEFT_TRY(m->wrapper ? WEFT_OK : check_type(m, name, type, m->arch->keys.type, err));
    return note_unused_text(m, err);
}

weft_status weft__find_definition(weft_model *m, weft_error *err)
{
    const char *name = NULL, *type = NULL;
    if (weft_config_file_text(m->hf, "architectures.0", &name) != 1) name = NULL;
    if (weft_config_file_text(m->hf, "model_type", &type) != 1) type = NULL;
    if (m->text.tree) {
        m->wrapper = weft__config_wrapper(m->hf);
        use_text(m, name, type);
    } else if ((m->definition = find_own(m, name, type))) {
        m->info.head = m->definition->head;
        WEFT_TRY(check_type(m, name, type, m->definition->type, err));
        WEFT_TRY(note_unused_text(m, err));
    } else WEFT_TRY(find_known(m, name, type, err));
    return check_params(m, err);
}

void weft__definition_build(const weft_model *m, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    if (m->definition) m->definition->build(g, c, in, m->definition->ctx);
    else weft__arch_build(m->arch, m->class_, m->wrapper != NULL, g, c, in);
}

const char *weft__definition_name(const weft_model *m)
{
    return m->definition ? m->definition->architecture : m->class_->name;
}

const char *weft__definition_origin(const weft_model *m)
{
    return m->text.tree ? m->text.origin : m->path;
}
