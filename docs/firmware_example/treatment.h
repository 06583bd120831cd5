/* The treatment: one state machine over the output, its protections and its dose account.
 *
 * Units: current nA, charge nC, voltage mV, time us. */
#ifndef TREATMENT_H
#define TREATMENT_H

#include "firmware_port.h"

typedef enum { IDLE, ARMED, RAMPUP, HOLD, PAUSED, RAMPDOWN, DONE, FAULT } treatment_state;

/* Answer to a command: 0, or the SCPI error that says why nothing was changed. */
typedef enum {
    ACCEPTED = 0,
    SETTINGS_CONFLICT = -221,
    OUT_OF_RANGE = -222,
    SELF_TEST_FAILED = -330
} treatment_answer;

void treatment_boot(const firmware_port *port);
void treatment_tick(void);

treatment_answer treatment_set_current(int64_t picoamperes);
treatment_answer treatment_set_negative(bool negative);
treatment_answer treatment_set_dose(int64_t nanocoulombs);

/* After how many us without a message of the host a treatment ends; 0 for never. */
treatment_answer treatment_set_silence(int64_t micros);
void treatment_heard(void);

treatment_answer treatment_start(void);
treatment_answer treatment_resume(void);
treatment_answer treatment_pause(void);
void treatment_stop(void);
void treatment_abort(void);
void treatment_acknowledge(void);
void treatment_reset(void);
treatment_answer treatment_self_test(bool *passed);

treatment_state treatment_state_now(void);
const char *treatment_fault(void); /* NONE, or a word for the fault */
int64_t treatment_charge(void);    /* nC of this treatment */
uint64_t treatment_lasted(void);   /* us for which the output was on in this treatment */
int32_t treatment_measured_current(void);
int32_t treatment_measured_voltage(void);
bool treatment_is_negative(void);
bool treatment_limited(void); /* compliance keeps the current below its setting */
bool treatment_shorted(void); /* the load looks like a short while current flows */
int64_t treatment_impedance(void); /* milliohm; negative below 1 uA, where nothing can be told */

#endif
