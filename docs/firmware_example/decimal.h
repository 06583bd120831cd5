/* Decimal numbers as integers: nothing depends on a locale or on a C library's strtod. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* digits * 10^exponent; digits beyond the eighteenth are cut off. */
typedef struct {
    bool negative;
    int64_t digits;
    int32_t exponent;
} decimal;

typedef enum { NUMBER, NO_NUMBER, EXPONENT_TOO_LARGE } decimal_answer;

/* Read a number such as 4, -0.5, .5 or 2.5E-3; *used is how many characters it takes. */
decimal_answer decimal_read(const char *text, uint32_t length, decimal *number, uint32_t *used);

/* number * 10^shift, rounded to the nearest integer; +-INT64_MAX where that does not hold it. */
int64_t decimal_scaled(const decimal *number, int32_t shift);

/* Write digits * 10^exponent as +1.23456789E-03; returns its length, always 15. */
uint32_t decimal_write(int64_t digits, int32_t exponent, char text[16]);

#endif
