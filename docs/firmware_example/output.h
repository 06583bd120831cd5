/* The output: boost supply, bridge, relay, indicator, and a ramp in steps of the DAC. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "firmware_port.h"

void output_boot(const firmware_port *port, uint64_t time);

/* Bring up the supply of the output stage. Returns the time in us at which it may be closed, after
 * the dwell where the bridge has to turn. */
uint64_t output_prepare(bool negative, uint64_t time);
/* Turn the bridge and close the relay, at zero. */
void output_close(bool negative);
/* Demand nothing and open the relay. */
void output_open(uint64_t time);
bool output_is_closed(void);

/* Begin a ramp between two currents in nA, `lasts` in us; 0 is a step. */
void output_ramp(int32_t from, int32_t to, uint64_t time, uint64_t lasts);
bool output_ramps(void);
/* Give the DAC what is due; true where that ends the ramp. */
bool output_step(uint64_t time);
uint64_t output_ramp_left(uint64_t time); /* us */
int32_t output_level(void);               /* nA that the DAC was told */

#endif
