/* What goes to the host: the reply to a message, and the error queue. */
#ifndef REPLY_H
#define REPLY_H

#include <stdint.h>

/* A reply that does not fit is dropped as a whole, with error -430. */
void reply_begin(char *text, uint32_t capacity);
void reply_bytes(const char *text, uint32_t length);
void reply_text(const char *text);
void reply_number(int64_t digits, int32_t exponent); /* digits * 10^exponent */
uint32_t reply_length(void);
void reply_cut(uint32_t length);
/* Terminate the reply; returns its length, 0 for none. */
uint32_t reply_end(void);

void report_error(int code);
void reply_error(void); /* oldest entry, or no error */
void clear_errors(void);

#endif
