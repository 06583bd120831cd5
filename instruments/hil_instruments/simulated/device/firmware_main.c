/* Turns firmware for the firmware port into a process: `cc firmware.c firmware_main.c -o firmware`.
 *
 * The simulated bench speaks to it by frames over standard input and output. Every frame is 16
 * bytes, little-endian, then `count` bytes where its kind has any:
 *
 *     offset  0      1      2      4      8
 *             kind   what   port   count  value
 *             u8     u8     u16    u32    u64
 *
 *     bench to process            process to bench
 *     'B' boot      what: cause   'R' read     what: register; answered by 'V'
 *     'T' tick                    'W' write    what: register, value
 *     'M' message   count bytes   'r' memory   value: address, count: how many; answered by 'V'
 *     'V' value     count bytes   'w' memory   value: address, count bytes
 *                                 'D' done     count bytes of a reply
 *
 * `port` is FIRMWARE_PORT_VERSION in 'B' and 'D'. `value` of 'B', 'T' and 'M' is the time in
 * microseconds. An emulator, or another language, may speak this in place of this file.
 *
 * Standard output belongs to the frames: firmware prints to standard error, the last lines of which
 * are shown where the process ends by itself. A call that takes longer than a minute ends it.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware_port.h"

#define LONGEST_CALL 60u /* s: nothing runs on for ever where nobody is left to end it */
#define REPLY_CAPACITY 4096u
#define FRAME 16u

enum { /* `what` of 'R' and 'W', in the order of struct firmware_port */
    MICROS, CURRENT, VOLTAGE, SUPPLY, CHARGE, KEYS, TRIPPED,
    CLEAR, DAC, RELAY, BRIDGE, BOOST, INDICATOR, KICK, WAKE, WATCH
};

static struct {
    uint8_t kind, what;
    uint16_t port;
    uint32_t count;
    uint64_t value;
} frame;

static uint64_t time_now;
static uint8_t *message; /* grows to the longest one */
static uint32_t room;
static struct {
    uint8_t bytes[4096];
    size_t length;
} out;

/* ---- frames -------------------------------------------------------------------------------- */

static void fail(const char *what)
{
    fprintf(stderr, "firmware_main: %s\n", what);
    exit(EXIT_FAILURE);
}

static void flush(void)
{
    size_t sent = 0;
    while (sent < out.length) {
        ssize_t count = write(STDOUT_FILENO, out.bytes + sent, out.length - sent);
        if (count < 0 && errno != EINTR)
            fail("the bench reads no longer");
        sent += count > 0 ? (size_t)count : 0;
    }
    out.length = 0;
}

static void put(const void *data, size_t count)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < count; i++) {
        if (out.length == sizeof out.bytes)
            flush();
        out.bytes[out.length++] = bytes[i];
    }
}

static void put_frame(char kind, int what, uint32_t count, uint64_t value)
{
    uint8_t bytes[FRAME] = {(uint8_t)kind, (uint8_t)what, FIRMWARE_PORT_VERSION};
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (uint8_t)(count >> 8 * i);
    for (int i = 0; i < 8; i++)
        bytes[8 + i] = (uint8_t)(value >> 8 * i);
    put(bytes, FRAME);
}

/* Read exactly `count` bytes; the end of the input is the end of the bench. */
static void get(uint8_t *data, size_t count)
{
    while (count > 0) {
        ssize_t got = read(STDIN_FILENO, data, count);
        if (got == 0)
            exit(EXIT_SUCCESS);
        if (got < 0 && errno != EINTR)
            fail("cannot read standard input");
        data += got > 0 ? got : 0;
        count -= got > 0 ? (size_t)got : 0;
    }
}

static void get_frame(void)
{
    uint8_t bytes[FRAME];
    flush();
    get(bytes, FRAME);
    frame.kind = bytes[0];
    frame.what = bytes[1];
    frame.port = (uint16_t)(bytes[2] | bytes[3] << 8);
    frame.count = 0;
    frame.value = 0;
    for (int i = 0; i < 4; i++)
        frame.count |= (uint32_t)bytes[4 + i] << 8 * i;
    for (int i = 0; i < 8; i++)
        frame.value |= (uint64_t)bytes[8 + i] << 8 * i;
    if (frame.count > room) {
        free(message);
        message = malloc(frame.count);
        room = message == NULL ? 0 : frame.count;
    }
    if (frame.count > room)
        fail("out of memory");
    get(message, frame.count);
}

static uint64_t ask(char kind, int what, uint32_t count, uint64_t value)
{
    put_frame(kind, what, count, value);
    get_frame();
    if (frame.kind != 'V')
        fail("expected the value of a read");
    return frame.value;
}

/* ---- the port ------------------------------------------------------------------------------ */

static uint64_t micros(void *board) { return (void)board, time_now; }
static uint16_t read_current(void *board) { return (void)board, (uint16_t)ask('R', CURRENT, 0, 0); }
static uint16_t read_voltage(void *board) { return (void)board, (uint16_t)ask('R', VOLTAGE, 0, 0); }
static uint16_t read_supply(void *board) { return (void)board, (uint16_t)ask('R', SUPPLY, 0, 0); }
static uint32_t read_charge(void *board) { return (void)board, (uint32_t)ask('R', CHARGE, 0, 0); }
static uint32_t keys(void *board) { return (void)board, (uint32_t)ask('R', KEYS, 0, 0); }
static bool comparator_tripped(void *board) { return (void)board, ask('R', TRIPPED, 0, 0) != 0; }

static void tell(int what, uint64_t value) { put_frame('W', what, 0, value); }
static void clear_comparator(void *board) { (void)board, tell(CLEAR, 0); }
static void write_dac(void *board, uint16_t code) { (void)board, tell(DAC, code); }
static void set_relay(void *board, bool closed) { (void)board, tell(RELAY, closed); }
static void set_bridge(void *board, bool negative) { (void)board, tell(BRIDGE, negative); }
static void set_boost(void *board, bool on) { (void)board, tell(BOOST, on); }
static void set_indicator(void *board, bool on) { (void)board, tell(INDICATOR, on); }
static void kick(void *board) { (void)board, tell(KICK, 0); }
static void wake_in(void *board, uint32_t time) { (void)board, tell(WAKE, time); }

static void watch(void *board, uint16_t current_low, uint16_t current_high, uint16_t voltage_low,
                  uint16_t voltage_high)
{
    (void)board;
    tell(WATCH, current_low | (uint64_t)current_high << 16 | (uint64_t)voltage_low << 32 |
                    (uint64_t)voltage_high << 48);
}

static uint32_t read_memory(void *board, uint32_t address, uint8_t *data, uint32_t count)
{
    (void)board;
    ask('r', 0, count, address);
    uint32_t found = frame.count < count ? frame.count : count;
    if (found > 0)
        memcpy(data, message, found);
    return found;
}

static void write_memory(void *board, uint32_t address, const uint8_t *data, uint32_t count)
{
    (void)board;
    put_frame('w', 0, count, address);
    put(data, count);
}

static const firmware_port port = {
    .version = FIRMWARE_PORT_VERSION,
    .size = sizeof(firmware_port),
    .micros = micros,
    .read_current = read_current,
    .read_voltage = read_voltage,
    .read_supply = read_supply,
    .read_charge = read_charge,
    .keys = keys,
    .comparator_tripped = comparator_tripped,
    .clear_comparator = clear_comparator,
    .write_dac = write_dac,
    .set_relay = set_relay,
    .set_bridge = set_bridge,
    .set_boost = set_boost,
    .set_indicator = set_indicator,
    .kick = kick,
    .read_memory = read_memory,
    .write_memory = write_memory,
    .wake_in = wake_in,
    .watch = watch,
};

/* ---- the calls ----------------------------------------------------------------------------- */

static uint32_t call(char *reply)
{
    uint8_t *text;
    uint32_t length = 0;
    time_now = frame.value;
    switch (frame.kind) {
    case 'B':
        firmware_boot(&port, frame.what);
        break;
    case 'T':
        firmware_tick();
        break;
    case 'M': /* reads of the port come into `message` while this one is obeyed */
        text = message;
        message = NULL;
        room = 0;
        length = firmware_receive(text == NULL ? "" : (const char *)text, frame.count, reply,
                                  REPLY_CAPACITY);
        free(text);
        break;
    default:
        fail("a frame of unknown kind");
    }
    return length;
}

int main(void)
{
    static char reply[REPLY_CAPACITY];
    if (firmware_port_version != FIRMWARE_PORT_VERSION)
        fail("firmware and firmware_main.c know different versions of the port");
    for (;;) {
        get_frame();
        alarm(LONGEST_CALL);
        uint32_t length = call(reply);
        alarm(0);
        if (length > REPLY_CAPACITY)
            fail("firmware_receive returned more than a reply may hold");
        put_frame('D', 0, length, 0);
        put(reply, length);
    }
}
