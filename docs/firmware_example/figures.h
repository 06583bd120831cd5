/* The figures that this device declares: device.toml of the reference device. */
#ifndef FIGURES_H
#define FIGURES_H

#define SMALLEST_CURRENT 100000000LL /* pA */
#define LARGEST_CURRENT 4000000000LL /* pA */
#define CURRENT_STEP 100000000LL     /* pA */
#define SOFTWARE_LIMIT 4400000       /* nA */
#define COMPLIANCE 80000             /* mV */
#define UP_TIME 30000000u            /* us from zero to the setting */
#define DOWN_TIME 8000000u           /* us from the setting to zero */
#define DWELL 1000000u               /* us at zero before the polarity may turn */
#define OPEN_RESISTANCE 142500       /* ohm: 5 % less than declared */
#define OPEN_TIME 50000u             /* us: half of what is declared */
#define LARGEST_DOSE 4800000000LL    /* nC: 80 mA*min */
#define LOW_BATTERY 6000             /* mV */

#endif
