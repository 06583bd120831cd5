#include "protection.h"

#define OVERCURRENT_TIME 10000u
#define NEVER UINT64_MAX
#define BEYOND 2 /* times a limit: out of reach */

static uint64_t over_since = NEVER, open_since = NEVER;

void protection_forget(void)
{
    over_since = open_since = NEVER;
}

static bool lasts(bool wrong, uint64_t *since, uint64_t time, uint64_t allowed)
{
    if (!wrong)
        *since = NEVER;
    else if (*since == NEVER)
        *since = time;
    return wrong && time - *since >= allowed;
}

static int64_t open_voltage(int32_t current)
{
    return (int64_t)OPEN_RESISTANCE * current / 1000000; /* ohm * nA = nV */
}

static bool looks_open(sample seen)
{
#ifdef BUG_NO_OPEN_DETECTION
    (void)seen;
    return false;
#else
    return seen.voltage > OPEN_VOLTAGE && seen.voltage > open_voltage(seen.current);
#endif
}

const char *protection_judge(sample seen)
{
    bool over = lasts(seen.current > SOFTWARE_LIMIT, &over_since, seen.time, OVERCURRENT_TIME);
    bool open = lasts(looks_open(seen), &open_since, seen.time, OPEN_TIME);
    return over ? "OVERCURRENT" : open ? "OPEN" : NULL;
}

bool protection_suspicious(void)
{
    return over_since != NEVER || open_since != NEVER;
}

/* In a ramp every tick looks at the load, only an over-current cannot wait. */
void protection_watch(sample seen, bool steady)
{
    int32_t margin = seen.current / WATCH_WINDOW;
    int32_t low = steady ? seen.current - margin : 0;
    int32_t high = steady ? seen.current + margin + 1000 : SOFTWARE_LIMIT;
    int64_t top = steady ? open_voltage(seen.current - margin) : BEYOND * COMPLIANCE;
    if (high > SOFTWARE_LIMIT)
        high = seen.current > SOFTWARE_LIMIT ? BEYOND * SOFTWARE_LIMIT : SOFTWARE_LIMIT;
    if (top < OPEN_VOLTAGE)
        top = OPEN_VOLTAGE;
    if (top > COMPLIANCE || seen.voltage > top)
        top = BEYOND * COMPLIANCE; /* out of reach, or seen already */
    watch_output(low, high, (int32_t)top);
}
