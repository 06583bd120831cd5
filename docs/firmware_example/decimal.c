#include "decimal.h"

#define MOST_DIGITS 18
#define LARGEST_EXPONENT 32000 /* SCPI-99, volume 1: a larger one is error -123 */

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* Read digits before or after the point; returns how many characters they take. */
static uint32_t read_digits(const char *text, uint32_t length, int32_t step, decimal *number)
{
    uint32_t i = 0;
    for (; i < length && is_digit(text[i]); i++) {
        if (number->digits < 100000000000000000LL) { /* room for an eighteenth digit */
            number->digits = number->digits * 10 + (text[i] - '0');
            number->exponent += step;
        } else {
            number->exponent += step + 1;
        }
    }
    return i;
}

/* Read E and an exponent, if they are there. */
static decimal_answer read_exponent(const char *text, uint32_t length, decimal *number,
                                    uint32_t *used)
{
    uint32_t i = 0;
    bool negative = false;
    int32_t value = 0;
    *used = 0;
    if (length < 2 || (text[0] != 'E' && text[0] != 'e'))
        return NUMBER;
    i++;
    if (text[i] == '+' || text[i] == '-')
        negative = text[i++] == '-';
    if (i == length || !is_digit(text[i]))
        return NUMBER; /* no exponent: what stands there is a suffix */
    for (; i < length && is_digit(text[i]); i++)
        if (value <= LARGEST_EXPONENT)
            value = value * 10 + (text[i] - '0');
    if (value > LARGEST_EXPONENT)
        return EXPONENT_TOO_LARGE;
    number->exponent += negative ? -value : value;
    *used = i;
    return NUMBER;
}

decimal_answer decimal_read(const char *text, uint32_t length, decimal *number, uint32_t *used)
{
    uint32_t i = 0, more;
    *number = (decimal){false, 0, 0};
    if (length > INT32_MAX / 2)
        return NO_NUMBER;
    if (i < length && (text[i] == '+' || text[i] == '-'))
        number->negative = text[i++] == '-';
    uint32_t digits = read_digits(text + i, length - i, 0, number);
    i += digits;
    if (i < length && text[i] == '.') {
        more = read_digits(text + i + 1, length - i - 1, -1, number);
        digits += more;
        i += more + 1;
    }
    if (digits == 0)
        return NO_NUMBER;
    decimal_answer answer = read_exponent(text + i, length - i, number, &more);
    *used = i + more;
    return answer;
}

int64_t decimal_scaled(const decimal *number, int32_t shift)
{
    int64_t value = number->digits;
    int32_t exponent = number->exponent + shift;
    if (value == 0)
        return 0;
    for (; exponent > 0; exponent--) {
        if (value > INT64_MAX / 10)
            return number->negative ? -INT64_MAX : INT64_MAX;
        value *= 10;
    }
    for (; exponent < -1 && value > 0; exponent++)
        value /= 10;
    if (exponent < 0)
        value = (value + 5) / 10;
    return number->negative ? -value : value;
}

uint32_t decimal_write(int64_t digits, int32_t exponent, char text[16])
{
    uint64_t value = digits < 0 ? 0u - (uint64_t)digits : (uint64_t)digits;
    uint32_t i = 0;
    exponent = value == 0 ? 0 : exponent + 8;
    while (value >= 1000000000u) { /* to nine digits, the last one rounded */
        value = value >= 10000000000u ? value / 10 : (value + 5) / 10;
        exponent++;
    }
    while (value != 0 && value < 100000000u) {
        value *= 10;
        exponent--;
    }
    text[i++] = digits < 0 ? '-' : '+';
    for (uint64_t place = 100000000u; place != 0; place /= 10) {
        text[i++] = (char)('0' + value / place % 10);
        if (place == 100000000u)
            text[i++] = '.';
    }
    text[i++] = 'E';
    text[i++] = exponent < 0 ? '-' : '+';
    uint32_t size = (uint32_t)(exponent < 0 ? -exponent : exponent) % 100u;
    text[i++] = (char)('0' + size / 10);
    text[i++] = (char)('0' + size % 10);
    text[i] = '\0';
    return i;
}
