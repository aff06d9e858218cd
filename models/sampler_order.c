/* sampler_order.c: which candidates are the best: as many in order as somebody looks at. */
#include "models/sampler_impl.h"

/* Larger logits come first, lower ids among equals. */
static bool before(weft_candidate a, weft_candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/* A heap of n candidates with the worst at its root; the one at i has been replaced. */
static void sift_down(weft_candidate *h, uint32_t n, uint32_t i)
{
    weft_candidate moving = h[i];
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(h[child], h[child + 1])) child++;
        if (!before(moving, h[child])) break;
        h[i] = h[child];
    }
    h[i] = moving;
}

/* The k that are there make a heap, better ones replace its root, then it is sorted. Those in order already are the
 * best of all, and stay. */
void weft__sampler_order(weft_sampler *s, uint32_t k)
{
    if (k > s->n) k = s->n;
    if (k <= s->ordered) return;
    weft_candidate *h = s->c + s->ordered;
    uint32_t n = s->n - s->ordered, m = k - s->ordered;
    for (uint32_t i = m / 2; i-- > 0;) sift_down(h, m, i);
    for (uint32_t i = m; i < n; i++) {
        if (!before(h[i], h[0])) continue;
        weft_candidate worst = h[0];
        h[0] = h[i];
        h[i] = worst;
        sift_down(h, m, 0);
    }
    for (uint32_t left = m; left > 1;) {
        weft_candidate worst = h[0];
        h[0] = h[--left];
        h[left] = worst;
        sift_down(h, left, 0);
    }
    s->ordered = k;
    s->by_id = false;
}

void weft__sampler_keep(weft_sampler *s, uint32_t k)
{
    if (k >= s->n) return;
    weft__sampler_order(s, k);
    s->n = k;
}

float weft__sampler_top(const weft_sampler *s)
{
    if (s->ordered) return s->c[0].logit;
    float top = s->c[0].logit;
    for (uint32_t i = 1; i < s->n; i++) top = s->c[i].logit > top ? s->c[i].logit : top;
    return top;
}

double weft__sampler_total(const weft_sampler *s, float top)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < s->n; i++) sum += weft__sampler_weight(s, s->c[i], top);
    return sum;
}
