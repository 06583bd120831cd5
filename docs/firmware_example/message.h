/* Program messages by the rules of SCPI-99, volume 1, chapter 6: units, headers, words. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of a message; it ends by its length, not by a NUL. */
typedef struct {
    const char *text;
    uint32_t length;
} slice;

/* Obey one unit; false where it cannot be read, which ends the message. */
typedef bool obey_command(slice header, slice parameter);

void obey_message(const char *text, uint32_t length, obey_command *obey);

/* Whether a header is a spelling of a pattern such as SOURce:CURRent. */
bool is_header(slice header, const char *pattern);
/* Whether a word is the short form (capitals) or the long form of a mnemonic such as NEGative. */
bool is_word(slice word, const char *mnemonic);

slice trimmed(slice s);
/* How many characters stand before the first `stop`. */
uint32_t until(const char *text, uint32_t length, char stop);

#endif
