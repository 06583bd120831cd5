/* Firmware of an iontophoresis stimulator behind stimproof's firmware port: an example to build
 * from. It keeps the figures of the built-in reference device and speaks its commands.
 *
 *   console.c    messages, error queue          treatment.c   state machine, protections, dose
 *   decimal.c    numbers without a locale       converters.c  codes, calibration, coulomb counter
 */
#include "firmware_port.h"

#include "console.h"
#include "treatment.h"

const uint32_t firmware_port_version = FIRMWARE_PORT_VERSION;

void firmware_boot(const firmware_port *port, uint32_t cause)
{
    (void)cause; /* nothing goes on by itself, whatever the reset interrupted */
    treatment_boot(port);
    console_boot(port);
}

void firmware_tick(void)
{
    treatment_tick();
}

uint32_t firmware_receive(const char *text, uint32_t length, char *reply, uint32_t capacity)
{
    return console_receive(text, length, reply, capacity);
}
