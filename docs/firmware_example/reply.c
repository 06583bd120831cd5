#include "reply.h"

#include <string.h>

#include "decimal.h"

#define QUEUE 20u /* entries; the last one becomes -350 when more come */

/* ---- replies ------------------------------------------------------------------------------- */

static struct {
    char *text;
    uint32_t length, capacity;
    bool full;
} out;

void reply_bytes(const char *text, uint32_t length)
{
    if (out.full || length > out.capacity - out.length) {
        out.full = true;
        return;
    }
    memcpy(out.text + out.length, text, length);
    out.length += length;
}

void reply_text(const char *text)
{
    reply_bytes(text, (uint32_t)strlen(text));
}

void reply_number(int64_t digits, int32_t exponent)
{
    char text[16];
    reply_bytes(text, decimal_write(digits, exponent, text));
}

/* ---- error queue --------------------------------------------------------------------------- */

static const struct {
    int code;
    const char *text;
} errors[] = {
    {-101, "-101,\"Invalid character\""},
    {-104, "-104,\"Data type error\""},
    {-108, "-108,\"Parameter not allowed\""},
    {-109, "-109,\"Missing parameter\""},
    {-113, "-113,\"Undefined header\""},
    {-123, "-123,\"Exponent too large\""},
    {-131, "-131,\"Invalid suffix\""},
    {-138, "-138,\"Suffix not allowed\""},
    {-221, "-221,\"Settings conflict\""},
    {-222, "-222,\"Data out of range\""},
    {-224, "-224,\"Illegal parameter value\""},
    {-330, "-330,\"Self-test failed\""},
    {-350, "-350,\"Queue overflow\""},
    {-430, "-430,\"Query DEADLOCKED\""},
};

static struct {
    int codes[QUEUE];
    uint32_t first, count;
} queue;

void report_error(int code)
{
    if (queue.count == QUEUE)
        queue.codes[(queue.first + QUEUE - 1) % QUEUE] = -350;
    else
        queue.codes[(queue.first + queue.count++) % QUEUE] = code;
}

void reply_error(void)
{
    if (queue.count == 0) {
        reply_text("0,\"No error\"");
        return;
    }
    int code = queue.codes[queue.first];
    queue.first = (queue.first + 1) % QUEUE;
    queue.count--;
    for (uint32_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            reply_text(errors[i].text);
}

void clear_errors(void)
{
    queue.count = 0;
}

/* ---- beginning and end --------------------------------------------------------------------- */

void reply_begin(char *text, uint32_t capacity)
{
    out.text = text;
    out.capacity = capacity;
    out.length = 0;
    out.full = false;
}

uint32_t reply_length(void)
{
    return out.length;
}

void reply_cut(uint32_t length)
{
    if (length < out.length)
        out.length = length;
}

uint32_t reply_end(void)
{
    if (out.length > 0)
        reply_text("\n");
    if (!out.full)
        return out.length;
    report_error(-430);
    return 0;
}
