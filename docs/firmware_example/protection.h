/* What the firmware makes of its own measurements: over-current and open load. */
#ifndef PROTECTION_H
#define PROTECTION_H

#include "converters.h"
#include "figures.h"

#define OPEN_VOLTAGE (COMPLIANCE / 8) /* mV; below it a resistance is too coarse to judge */
#define WATCH_WINDOW 50               /* a fiftieth: change of a steady current that wakes us */

void protection_forget(void);
/* The fault that has lasted long enough, or NULL. */
const char *protection_judge(sample seen);
/* Whether something looks wrong, not yet for long enough. */
bool protection_suspicious(void);
/* Wake up when something may go wrong before the next tick. */
void protection_watch(sample seen, bool steady);

#endif
