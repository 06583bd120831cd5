#include "output.h"

#include "converters.h"
#include "figures.h"

#define BOOST_TIME 5000u /* us until the supply of the output stage has come up */

static const firmware_port *board;
static bool closed, ramps, bridge_known, bridge_negative;
static int32_t level, from, to;
static uint64_t began, lasts, off_since;

static void drive(int32_t nanoamperes)
{
    level = nanoamperes;
    demand_current(nanoamperes);
}

void output_boot(const firmware_port *port, uint64_t time)
{
    board = port;
    closed = ramps = bridge_known = false;
    level = 0;
    off_since = time;
}

uint64_t output_prepare(bool negative, uint64_t time)
{
    bool turns = bridge_known && bridge_negative != negative;
    uint64_t rested = off_since + (turns ? DWELL : 0);
    board->set_boost(board->board, true);
    return rested > time + BOOST_TIME ? rested : time + BOOST_TIME;
}

void output_close(bool negative)
{
    board->set_bridge(board->board, negative);
    bridge_known = true;
    bridge_negative = negative;
    board->set_relay(board->board, true);
    board->set_indicator(board->board, true);
    closed = true;
}

void output_open(uint64_t time)
{
    drive(0);
    board->set_relay(board->board, false);
    board->set_boost(board->board, false);
    board->set_indicator(board->board, false);
    if (closed)
        off_since = time;
    closed = ramps = false;
}

bool output_is_closed(void)
{
    return closed;
}

void output_ramp(int32_t begin, int32_t end, uint64_t time, uint64_t duration)
{
    from = begin;
    to = end;
    began = time;
    lasts = duration;
    ramps = true;
}

bool output_ramps(void)
{
    return ramps;
}

bool output_step(uint64_t time)
{
    uint64_t passed = time - began;
    ramps = passed < lasts;
    drive(ramps ? from + (int32_t)((to - from) * (int64_t)passed / (int64_t)lasts) : to);
    return !ramps;
}

uint64_t output_ramp_left(uint64_t time)
{
    return began + lasts > time ? began + lasts - time : 0;
}

int32_t output_level(void)
{
    return level;
}
