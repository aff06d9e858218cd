#include <stdio.h>
#include <weft/graph.h>

static bool print(void *file, const char *text, size_t n) { return fwrite(text, 1, n, file) == n; }

int main(void)
{
    weft_error err;
    weft_graph *g;
    weft_writer out = { stdout, print };
    printf("weft %s\n", weft_version());
    if (weft_graph_create(NULL, &g, &err)) return 1;
    weft_output(g, weft_relu(g, weft_input(g, WEFT_F32, WEFT_DIMS(2, 3), "x")), "y");
    if (weft_graph_seal(g, &err) || weft_graph_print(g, &out, &err)) fprintf(stderr, "%s\n", err.text);
    weft_graph_destroy(g);
    return 0;
}
