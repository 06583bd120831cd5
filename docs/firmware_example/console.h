/* The SCPI console: messages of the host, its error queue, and the replies. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "firmware_port.h"

void console_boot(const firmware_port *port);
uint32_t console_receive(const char *text, uint32_t length, char *reply, uint32_t capacity);

#endif
