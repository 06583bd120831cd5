#include "converters.h"

#include <string.h>

enum { DAC, CURRENT, VOLTAGE, CHARGE, FACTORS };

static const firmware_port *board;
static float factor[FACTORS];
static bool calibrated;
static uint32_t last_count;
static uint16_t window[4];

/* CRC-32 as of zlib: polynomial 0xEDB88320, all ones before and after. */
static uint32_t checksum(const uint8_t *data, uint32_t count)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static uint32_t little_endian(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

void converters_start(const firmware_port *port)
{
    uint8_t stored[FIRMWARE_CALIBRATION_SIZE + 4];
    board = port;
    uint32_t count =
        port->read_memory(port->board, FIRMWARE_CALIBRATION_ADDRESS, stored, sizeof stored);
    calibrated = count == sizeof stored && checksum(stored, FIRMWARE_CALIBRATION_SIZE) ==
                                               little_endian(stored + FIRMWARE_CALIBRATION_SIZE);
    for (int i = 0; i < FACTORS; i++) {
        uint32_t bits = little_endian(stored + 4 * i);
        factor[i] = 1.0f;
        if (calibrated)
            memcpy(&factor[i], &bits, sizeof bits);
    }
    last_count = port->read_charge(port->board);
    watch_nothing();
}

bool converters_calibrated(void)
{
    return calibrated;
}

static int32_t rounded(double value)
{
    return (int32_t)(value + 0.5);
}

sample take_sample(void)
{
    double current = board->read_current(board->board) * (double)factor[CURRENT];
    double voltage = board->read_voltage(board->board) * (double)factor[VOLTAGE];
    return (sample){
        board->micros(board->board),
        rounded(current * FIRMWARE_CURRENT_STEP_NA),
        rounded(voltage * FIRMWARE_VOLTAGE_STEP_UV / 1000),
    };
}

int32_t measured_supply(void)
{
    return board->read_supply(board->board) * FIRMWARE_SUPPLY_STEP_UV / 1000;
}

uint32_t counts_since(void)
{
    uint32_t count = board->read_charge(board->board);
    uint32_t passed = count - last_count; /* unsigned: right across the wrap */
    last_count = count;
    return passed;
}

int64_t charge_of(uint64_t counts)
{
    return (int64_t)((double)counts * (double)factor[CHARGE] * FIRMWARE_CHARGE_STEP_NC + 0.5);
}

static uint16_t code(double value)
{
    if (!(value > 0))
        return 0;
    return value < FIRMWARE_FULL_SCALE ? (uint16_t)(value + 0.5) : FIRMWARE_FULL_SCALE;
}

void demand_current(int32_t nanoamperes)
{
    double wanted = nanoamperes * (double)factor[DAC] / FIRMWARE_CURRENT_STEP_NA;
    board->write_dac(board->board, code(wanted));
}

static void set_window(uint16_t low, uint16_t high, uint16_t top)
{
    if (window[0] == low && window[1] == high && window[3] == top)
        return;
    window[0] = low;
    window[1] = high;
    window[3] = top;
    board->watch(board->board, low, high, 0, top);
}

void watch_output(int32_t low, int32_t high, int32_t top)
{
    double current = (double)factor[CURRENT] * FIRMWARE_CURRENT_STEP_NA;
    double voltage = (double)factor[VOLTAGE] * FIRMWARE_VOLTAGE_STEP_UV / 1000;
    set_window(code(low / current), code(high / current), code(top / voltage));
}

void watch_nothing(void)
{
    set_window(0, FIRMWARE_FULL_SCALE, FIRMWARE_FULL_SCALE);
}
