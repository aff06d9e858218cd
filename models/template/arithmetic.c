/* arithmetic.c: + - * / // % ** of values, as Python has them; integers have 64 bits here, one beyond is refused. */
#include "jinja.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/number.h"

static _Noreturn void too_large(jinja_run *r)
{
    jinja_fail_as(r, WEFT_LIMIT, "an integer beyond 64 bits");
}

static _Noreturn void no_operands(jinja_run *r, const char *op, jinja_value a, jinja_value b)
{
    jinja_fail(r, "unsupported operand type(s) for %s: '%s' and '%s'", op, jinja_type_name(a), jinja_type_name(b));
}

/* ---- sequences ---- */

static jinja_value add_lists(jinja_run *r, jinja_value a, jinja_value b)
{
    jinja_list *l = jinja_list_new(r, a.list->n + b.list->n);
    jinja_work(r, l->capacity);
    if (a.list->n) memcpy(l->v, a.list->v, a.list->n * sizeof *l->v);
    if (b.list->n) memcpy(l->v + a.list->n, b.list->v, b.list->n * sizeof *l->v);
    l->n = l->capacity;
    return (jinja_value){ .kind = a.kind, .list = l };
}

/* a, count times. */
static jinja_value repeat(jinja_run *r, jinja_value a, int64_t count)
{
    const size_t n = a.kind == JINJA_TEXT ? a.text->n : a.list->n;
    const size_t times = count < 0 || !n ? 0 : (size_t)count;
    if (n && times > SIZE_MAX / 64 / n) jinja_fail_as(r, WEFT_LIMIT, "more than %zu MiB of memory", r->max_bytes >> 20);
    jinja_work(r, times + n * times / 64);
    if (a.kind == JINJA_TEXT) {
        char *s = jinja_bytes(r, n * times);
        for (size_t i = 0; i < times; i++) memcpy(s + i * n, a.text->s, n);
        return jinja_from_text(jinja_text_part(r, a.text, s, n * times));
    }
    jinja_list *l = jinja_list_new(r, n * times);
    for (size_t i = 0; i < times; i++) memcpy(l->v + i * n, a.list->v, n * sizeof *l->v);
    l->n = n * times;
    return (jinja_value){ .kind = a.kind, .list = l };
}

static bool is_sequence(jinja_value v)
{
    return v.kind == JINJA_TEXT || v.kind == JINJA_LIST || v.kind == JINJA_TUPLE;
}

/* + and * of texts and lists; false: they are none. */
static bool of_sequences(jinja_run *r, int op, jinja_value a, jinja_value b, jinja_value *out)
{
    int64_t n;
    if (op == '+' && a.kind == JINJA_TEXT) {
        if (b.kind != JINJA_TEXT) jinja_fail(r, "can only concatenate str (not \"%s\") to str", jinja_type_name(b));
        const bool plain = a.text->markup == b.text->markup; /* else both become markup */
        *out = jinja_from_text(plain ? jinja_text_join(r, a.text, b.text)
                                     : jinja_text_join(r, jinja_escape(r, a.text), jinja_escape(r, b.text)));
        return true;
    }
    if (op == '+' && is_sequence(a)) {
        const char *type = jinja_type_name(a);
        if (a.kind != b.kind)
            jinja_fail(r, "can only concatenate %s (not \"%s\") to %s", type, jinja_type_name(b), type);
        *out = add_lists(r, a, b);
        return true;
    }
    if (op != '*') return false;
    if (is_sequence(a) && jinja_whole(b, &n)) return *out = repeat(r, a, n), true;
    if (is_sequence(b) && jinja_whole(a, &n)) return *out = repeat(r, b, n), true;
    if (!is_sequence(a) && !is_sequence(b)) return false;
    jinja_fail(r, "can't multiply sequence by non-int of type '%s'", jinja_type_name(is_sequence(a) ? b : a));
}

/* ---- numbers ---- */

static int64_t floor_divide(jinja_run *r, int64_t a, int64_t b)
{
    if (!b) jinja_fail(r, "integer division or modulo by zero");
    if (b == -1) {
        if (a == INT64_MIN) too_large(r);
        return -a;
    }
    const int64_t q = a / b;
    return q - (a % b && (a < 0) != (b < 0));
}

static jinja_value power(jinja_run *r, int64_t a, int64_t b)
{
    int64_t out = 1;
    if (b < 0) {
        if (!a) jinja_fail(r, "0.0 cannot be raised to a negative power");
        return jinja_float(pow((double)a, (double)b));
    }
    for (; b; b >>= 1) {
        if ((b & 1) && __builtin_mul_overflow(out, a, &out)) too_large(r);
        if (b > 1 && __builtin_mul_overflow(a, a, &a)) too_large(r);
    }
    return jinja_int(out);
}

static jinja_value of_ints(jinja_run *r, int op, int64_t a, int64_t b)
{
    int64_t out = 0;
    switch (op) {
    case '+':
        if (__builtin_add_overflow(a, b, &out)) too_large(r);
        return jinja_int(out);
    case '-':
        if (__builtin_sub_overflow(a, b, &out)) too_large(r);
        return jinja_int(out);
    case '*':
        if (__builtin_mul_overflow(a, b, &out)) too_large(r);
        return jinja_int(out);
    case 'f':
        return jinja_int(floor_divide(r, a, b));
    case '%':
        if (b == -1) return jinja_int(0);
        return jinja_int(a - floor_divide(r, a, b) * b);
    default:
        return power(r, a, b);
    }
}

/* Python's float remainder: the sign of the divisor. */
static double remainder_of(double a, double b)
{
    double m = fmod(a, b);
    if (m != 0 && (b < 0) != (m < 0)) m += b;
    return m != 0 ? m : copysign(0, b);
}

static double floor_of(double a, double b)
{
    double m = fmod(a, b), q = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) q -= 1;
    if (q == 0) return copysign(0, a / b);
    const double whole = floor(q);
    return q - whole > 0.5 ? whole + 1 : whole;
}

static jinja_value of_floats(jinja_run *r, int op, double a, double b)
{
    if (b == 0 && (op == '/' || op == 'f' || op == '%'))
        jinja_fail(r, op == '/' ? "division by zero" : op == '%' ? "float modulo" : "float floor division by zero");
    switch (op) {
    case '+':
        return jinja_float(a + b);
    case '-':
        return jinja_float(a - b);
    case '*':
        return jinja_float(a * b);
    case '/':
        return jinja_float(a / b);
    case 'f':
        return jinja_float(floor_of(a, b));
    case '%':
        return jinja_float(remainder_of(a, b));
    default:
        if (a == 0 && b < 0) jinja_fail(r, "0.0 cannot be raised to a negative power");
        if (a < 0 && isfinite(b) && b != floor(b)) jinja_fail(r, "a power that is a complex number");
        const double p = pow(a, b);
        if (isinf(p) && isfinite(a) && isfinite(b)) jinja_fail(r, "Numerical result out of range");
        return jinja_float(p);
    }
}

static const char *op_name(int op)
{
    switch (op) {
    case '+':
        return "+";
    case '-':
        return "-";
    case '*':
        return "*";
    case '/':
        return "/";
    case 'f':
        return "//";
    case '%':
        return "%";
    default:
        return "** or pow()";
    }
}

jinja_value jinja_binary(jinja_run *r, int op, jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x, y;
    jinja_value out;
    if (op == '%' && a.kind == JINJA_TEXT) return jinja_percent(r, a.text, b);
    jinja_defined(r, a);
    jinja_defined(r, b);
    if (jinja_whole(a, &i) && jinja_whole(b, &j) && (op != '/' || !j)) {
        if (op == '/') jinja_fail(r, "division by zero");
        return of_ints(r, op, i, j);
    }
    if (jinja_number(a, &x) && jinja_number(b, &y)) return of_floats(r, op, x, y);
    if (of_sequences(r, op, a, b, &out)) return out;
    no_operands(r, op_name(op), a, b);
}

jinja_value jinja_unary(jinja_run *r, int op, jinja_value a)
{
    int64_t i;
    jinja_defined(r, a);
    if (jinja_whole(a, &i)) {
        if (op == '-' && i == INT64_MIN) too_large(r);
        return jinja_int(op == '-' ? -i : i);
    }
    if (a.kind == JINJA_FLOAT) return jinja_float(op == '-' ? -a.f : a.f);
    jinja_fail(r, "bad operand type for unary %c: '%s'", op, jinja_type_name(a));
}

/* The decimal of `digits` places that is nearest, of two the even one: what printf writes. */
double jinja_round_to(jinja_run *r, double f, int64_t digits)
{
    char buf[JINJA_FLOAT_ROOM];
    double out;
    if (digits < 0) {
        if (digits < -308) return copysign(0, f);
        const double unit = pow(10, (double)-digits);
        return nearbyint(f / unit) * unit;
    }
    if (!isfinite(f) || fabs(f) >= 0x1p53 || digits > 323) return f;
    if (digits > 60) jinja_fail(r, "round: more than 60 places are not supported");
    jinja_float_format(buf, 'f', (int)digits, f);
    return weft__double_scan(buf, &out) ? out : f;
}
