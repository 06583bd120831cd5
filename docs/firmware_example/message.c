#include "message.h"

#include <string.h>

#define LONGEST_HEADER 64u

static char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static bool is_space(char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r') || letter == '\0';
}

slice trimmed(slice s)
{
    while (s.length > 0 && is_space(s.text[0])) {
        s.text++;
        s.length--;
    }
    while (s.length > 0 && is_space(s.text[s.length - 1]))
        s.length--;
    return s;
}

/* Whether a word is the short form (capitals) or the long form of a mnemonic such as CURRent. */
static bool is_node(slice word, const char *mnemonic, uint32_t length)
{
    uint32_t capitals = 0;
    while (capitals < length && !(mnemonic[capitals] >= 'a' && mnemonic[capitals] <= 'z'))
        capitals++;
    if (word.length != capitals && word.length != length)
        return false;
    for (uint32_t i = 0; i < word.length; i++)
        if (upper(word.text[i]) != upper(mnemonic[i]))
            return false;
    return true;
}

uint32_t until(const char *text, uint32_t length, char stop)
{
    uint32_t i = 0;
    while (i < length && text[i] != stop)
        i++;
    return i;
}

/* Whether a full header is a spelling of a pattern, node by node. */
bool is_header(slice header, const char *pattern)
{
    uint32_t length = (uint32_t)strlen(pattern);
    bool query = length > 0 && pattern[length - 1] == '?';
    bool asks = header.length > 0 && header.text[header.length - 1] == '?';
    if (query != asks)
        return false;
    length -= query;
    header.length -= asks;
    for (;;) {
        uint32_t node = until(pattern, length, ':');
        uint32_t written = until(header.text, header.length, ':');
        if (!is_node((slice){header.text, written}, pattern, node))
            return false;
        if (node == length || written == header.length)
            return node == length && written == header.length;
        pattern += node + 1;
        length -= node + 1;
        header.text += written + 1;
        header.length -= written + 1;
    }
}

bool is_word(slice word, const char *mnemonic)
{
    return is_node(word, mnemonic, (uint32_t)strlen(mnemonic));
}

/* Header path (SCPI-99, volume 1, 6.2.4): what later units of a message are relative to. */
static struct {
    char text[LONGEST_HEADER];
    uint32_t length;
} path;

/* Put path and header together; returns the full header, empty where it is too long. */
static slice full_header(slice header, char *buffer)
{
    uint32_t before = path.length;
    if (header.text[0] == '*')
        return header;
    if (header.text[0] == ':') {
        before = 0;
        header.text++;
        header.length--;
    }
    if (header.length > LONGEST_HEADER - before)
        return (slice){buffer, 0};
    memcpy(buffer, path.text, before);
    memcpy(buffer + before, header.text, header.length);
    slice full = {buffer, before + header.length};
    uint32_t node = full.length;
    while (node > 0 && full.text[node - 1] != ':')
        node--;
    memcpy(path.text, full.text, node);
    path.length = node;
    return full;
}

/* Length of the first unit: up to a semicolon outside quotes. */
static uint32_t unit_length(const char *text, uint32_t length)
{
    char quote = '\0';
    uint32_t i = 0;
    for (; i < length && (quote || text[i] != ';'); i++) {
        if (quote)
            quote = text[i] == quote ? '\0' : quote;
        else if (text[i] == '"' || text[i] == '\'')
            quote = text[i];
    }
    return i;
}

static bool obey_unit(slice unit, obey_command *obey)
{
    char buffer[LONGEST_HEADER];
    uint32_t length = 0;
    while (length < unit.length && !is_space(unit.text[length]))
        length++;
    slice parameter = trimmed((slice){unit.text + length, unit.length - length});
    return obey(full_header((slice){unit.text, length}, buffer), parameter);
}

void obey_message(const char *text, uint32_t length, obey_command *obey)
{
    bool readable = true;
    path.length = 0;
    while (readable && length > 0) {
        uint32_t size = unit_length(text, length);
        slice unit = trimmed((slice){text, size});
        readable = unit.length == 0 || obey_unit(unit, obey);
        size += size < length;
        text += size;
        length -= size;
    }
}
