/* The firmware port in C: all that firmware sees of its hardware, and all that hardware asks of it.
 *
 * Firmware built against this header runs behind the simulated bench of stimproof, as a shared
 * library or, linked with firmware_main.c, as a process. `port.py` is the same contract in Python.
 *
 * The hardware is a table of functions, not an image of registers: a register's side effects (a
 * relay that opens, a watchdog that is kicked) happen between two instructions, and nobody outside
 * sees a store to memory. A table also lets the firmware's own unit tests put a fake in its place.
 *
 * Rules
 *  - Nothing waits. Time stands still while firmware runs: to wait, call `wake_in` and return.
 *    A loop on `micros` never ends.
 *  - Firmware is called by one thread, never again before it has returned.
 *  - It starts as after a reset: static variables have their initial values at each `firmware_boot`,
 *    because the library is loaded, or the process started, anew. What must survive a reset belongs
 *    in the non-volatile memory.
 *  - The watchdog always runs. Whoever does not kick it for a second is reset.
 *  - The table is valid until the next `firmware_boot`.
 *
 * Compatibility: FIRMWARE_PORT_VERSION changes when a function changes its meaning or its place.
 * New functions are added at the end of the table, where `size` tells whether they are there.
 */
#ifndef FIRMWARE_PORT_H
#define FIRMWARE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRMWARE_PORT_VERSION 1u

/* Units of the codes. Codes are unsigned; what exceeds a converter saturates. */
#define FIRMWARE_FULL_SCALE 0xFFFFu  /* largest code of the converters */
#define FIRMWARE_CURRENT_STEP_NA 100 /* nA a code, DAC and ADC: 6.5535 mA full scale */
#define FIRMWARE_VOLTAGE_STEP_UV 2000 /* uV a code of the output voltage: 131.07 V full scale */
#define FIRMWARE_SUPPLY_STEP_UV 500   /* uV a code of the supply voltage: 32.77 V full scale */
#define FIRMWARE_CHARGE_STEP_NC 10    /* nC a count of the coulomb counter, modulo 2^32: 42.9 C */
#define FIRMWARE_WATCHDOG_MICROS 1000000u
#define FIRMWARE_MEMORY_SIZE 256u /* bytes of non-volatile memory */

/* Factory data in the non-volatile memory, little-endian: four binary32 factors that correct DAC
 * current, ADC current, ADC voltage and coulomb counter, then the CRC-32 (as of zlib) of these 16
 * bytes. Demand code = wanted / step * factor; true reading = code * step * factor. */
#define FIRMWARE_CALIBRATION_ADDRESS 0u
#define FIRMWARE_CALIBRATION_SIZE 16u
/* The serial number: up to 16 characters, the rest is 0. On the simulated bench it begins with
 * SIM-, so that nobody takes its results for those of a device. */
#define FIRMWARE_SERIAL_ADDRESS 32u
#define FIRMWARE_SERIAL_SIZE 16u

/* Why the processor starts. */
enum firmware_reset {
    FIRMWARE_RESET_POWER_ON = 0,
    FIRMWARE_RESET_BROWN_OUT = 1,
    FIRMWARE_RESET_WATCHDOG = 2,
    FIRMWARE_RESET_SOFTWARE = 3
};

/* Bits of `keys`: what an operator holds down. */
enum firmware_key { FIRMWARE_KEY_START = 1, FIRMWARE_KEY_STOP = 2 };

typedef struct firmware_port {
    uint32_t version; /* FIRMWARE_PORT_VERSION of the hardware */
    uint32_t size;    /* bytes of this table, as the hardware knows it */
    void *board;      /* first argument of every function; means nothing to firmware */

    uint64_t (*micros)(void *board);       /* microseconds since power-up */
    uint16_t (*read_current)(void *board); /* magnitude of the output current, at the sense resistor */
    uint16_t (*read_voltage)(void *board); /* magnitude of the output voltage */
    uint16_t (*read_supply)(void *board);  /* supply voltage */
    uint32_t (*read_charge)(void *board);  /* coulomb counter, modulo 2^32; runs always */
    uint32_t (*keys)(void *board);         /* keys held down, bits of firmware_key */

    bool (*comparator_tripped)(void *board);  /* the over-current comparator has opened the relay */
    void (*clear_comparator)(void *board);    /* release it; closes nothing */

    void (*write_dac)(void *board, uint16_t code);      /* demand a magnitude of current */
    void (*set_relay)(void *board, bool closed);        /* output relay */
    void (*set_bridge)(void *board, bool negative);     /* polarity bridge */
    void (*set_boost)(void *board, bool on);            /* supply of the output stage */
    void (*set_indicator)(void *board, bool on);        /* indicator of an output that is on */
    void (*kick)(void *board);                          /* restart the watchdog's time */

    /* Non-volatile memory; returns how many bytes there were. What lies beyond its end is lost. */
    uint32_t (*read_memory)(void *board, uint32_t address, uint8_t *data, uint32_t count);
    void (*write_memory)(void *board, uint32_t address, const uint8_t *data, uint32_t count);

    /* Ask for a `firmware_tick` after so many microseconds, at least one; the last word holds. */
    void (*wake_in)(void *board, uint32_t micros);
    /* Ask for a tick as soon as a code leaves its window [low, high]; [0, 65535] watches nothing.
     * Windows stay until they are set again. */
    void (*watch)(void *board, uint16_t current_low, uint16_t current_high, uint16_t voltage_low,
                  uint16_t voltage_high);
} firmware_port;

/* ---- what firmware provides ---------------------------------------------------------------- */

#if defined(_WIN32)
#define FIRMWARE_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define FIRMWARE_EXPORT __attribute__((visibility("default")))
#else
#define FIRMWARE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Define it as FIRMWARE_PORT_VERSION: it tells which header the firmware was built with. */
extern FIRMWARE_EXPORT const uint32_t firmware_port_version;

/* Start anew. Outputs are in their reset state: DAC 0, relay open, boost off, indicator dark. */
FIRMWARE_EXPORT void firmware_boot(const firmware_port *port, uint32_t cause);

/* Run until it sleeps again: called at the time it asked for, and when a window was left. */
FIRMWARE_EXPORT void firmware_tick(void);

/* Obey one message of the host. `text` has no terminator, neither LF nor NUL, and may hold any
 * bytes. Write the reply with its terminator (LF) and return its length, at most `capacity`
 * (4096 or more); 0 for none. */
FIRMWARE_EXPORT uint32_t firmware_receive(const char *text, uint32_t length, char *reply,
                                          uint32_t capacity);

#ifdef __cplusplus
}
#endif

#endif
