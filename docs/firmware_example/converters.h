/* Codes to quantities and back, by the factory's calibration. */
#ifndef CONVERTERS_H
#define CONVERTERS_H

#include "firmware_port.h"

/* Read the calibration; where its CRC is wrong, every factor is 1. */
void converters_start(const firmware_port *port);
/* Whether the CRC of the calibration is right. */
bool converters_calibrated(void);

typedef struct {
    uint64_t time;   /* us since power-up */
    int32_t current; /* nA, a magnitude */
    int32_t voltage; /* mV, a magnitude */
} sample;

sample take_sample(void);
int32_t measured_supply(void); /* mV */

/* Counts of the coulomb counter since the last call; right as long as 42 C have not passed. */
uint32_t counts_since(void);
int64_t charge_of(uint64_t counts); /* nC */

void demand_current(int32_t nanoamperes);
/* Wake up when the current leaves [low, high] in nA, or the voltage exceeds `top` in mV. */
void watch_output(int32_t low, int32_t high, int32_t top);
void watch_nothing(void);

#endif
