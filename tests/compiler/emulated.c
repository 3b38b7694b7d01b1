/* Runs a compiled step on a machine that is emulated: reads the memory that it works on, calls it, writes it back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern void run(void *context, int64_t thread, int64_t threads);

static int64_t number(FILE *file) {
    int64_t value;
    if (fread(&value, sizeof value, 1, file) != 1) exit(2);
    return value;
}

int main(int count, char **names) {
    if (count != 3) return 1;
    FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
    if (!in || !out) return 1;
    int64_t sources = number(in), each = number(in), first = number(in), steps = number(in);
    void **pointers = calloc(sources, sizeof *pointers);
    int64_t *sizes = calloc(sources, sizeof *sizes);
    for (int64_t i = 0; i < sources; i++) {
        sizes[i] = number(in);
        pointers[i] = aligned_alloc(128, (sizes[i] + 255) / 128 * 128);
        if (sizes[i] && fread(pointers[i], 1, sizes[i], in) != (size_t)sizes[i]) return 2;
    }
    /* The last of them holds the numbers of the steps. */
    int64_t context[5] = {(int64_t)pointers, (int64_t)pointers[sources - 1], each, first, steps};
    run(context, 0, 1);
    for (int64_t i = 0; i < sources; i++) fwrite(pointers[i], 1, sizes[i], out);
    return fclose(out);
}
