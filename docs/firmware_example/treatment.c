#include "treatment.h"

#include <string.h>

#include "converters.h"
#include "figures.h"
#include "output.h"
#include "protection.h"

#define STEP_ERROR 100LL              /* pA a setting may lie beside its step */
#define SELF_TEST_TIME 100000u
#define QUIET_CURRENT 5000            /* nA that an output may show that is off */
#define SHORT_RESISTANCE 250          /* ohm: half of the smallest load that is declared */
#define ENOUGH 20                     /* nC: two counts of the coulomb counter */
#define REST 500000u                  /* longest sleep: half of the watchdog's time */
#define RAMP_TICK 25000u
#define ALERT_TICK 5000u

typedef enum { UP, TO_PAUSE, TO_DONE } ramp_purpose;

static const firmware_port *board;
static struct {
    treatment_state state;
    const char *fault;
    /* settings */
    int32_t current;
    bool negative;
    int64_t dose;
    /* treatment */
    bool resuming;
    ramp_purpose purpose;
    uint64_t close_at, ready_at;
    uint32_t pressed;
    /* dose, in counts of the coulomb counter */
    uint64_t counts, counts_of_all;
    /* host: silence in us after which a treatment ends, 0 for never; when it was last heard */
    uint64_t silence, heard;
    uint64_t lasted, booked; /* us for which the output was on; when that was last added to */
} t;

/* What converters and timer show, sampled once for each tick and each command. */
static sample seen;

static void look(void)
{
    seen = take_sample();
}

static bool delivering(void)
{
    return t.state == RAMPUP || t.state == HOLD || t.state == RAMPDOWN;
}

static bool occupied(void)
{
    return delivering() || t.state == ARMED || t.state == PAUSED;
}

/* ---- dose ---------------------------------------------------------------------------------- */

static void book(void)
{
    uint32_t passed = counts_since();
    uint64_t now = board->micros(board->board);
    if (output_is_closed()) {
        t.counts += passed;
        t.counts_of_all += passed;
        t.lasted += now - t.booked;
    }
    t.booked = now;
}

int64_t treatment_charge(void)
{
    book();
    return charge_of(t.counts);
}

uint64_t treatment_lasted(void)
{
    book();
    return t.lasted;
}

/* The largest dose holds for all treatments since power-up together. */
static int64_t left_of_all(void)
{
    return LARGEST_DOSE - charge_of(t.counts_of_all);
}

/* Charge that may still flow in this treatment. */
static int64_t left_of_dose(void)
{
    int64_t left = t.dose - treatment_charge();
    return left < left_of_all() ? left : left_of_all();
}

/* ---- output -------------------------------------------------------------------------------- */

static void switch_off(void)
{
    book();
    output_open(seen.time);
    protection_forget();
}

static void latch(const char *fault)
{
    switch_off();
    t.state = FAULT;
    t.fault = fault;
}

/* Whether compliance keeps the current below the demand. */
static bool held_back(void)
{
    return seen.current < output_level() / 100 * 97 && seen.voltage > COMPLIANCE / 100 * 97;
}

/* Current from which a ramp begins. */
static int32_t present(void)
{
    return held_back() ? seen.current : output_level();
}

static int32_t highest(int32_t from, int32_t to)
{
    int32_t top = t.current > from ? t.current : from;
    top = top > to ? top : to;
    return top > 0 ? top : 1;
}

/* Where the setting was lowered on the way, a ramp to zero would exceed the dose: it is shorter. */
static uint64_t within_dose(int64_t from, uint64_t lasts)
{
    int64_t left = left_of_dose();
    uint64_t longest, shortest;
    if (from <= 0)
        return lasts;
    longest = 2000000u * (uint64_t)(left > ENOUGH ? left : ENOUGH) / (uint64_t)from;
    shortest = (uint64_t)DOWN_TIME * (uint64_t)from / (uint64_t)(LARGEST_CURRENT / 1000);
    longest = longest > shortest ? longest : shortest;
    return lasts < longest ? lasts : longest;
}

static void begin_ramp(int32_t to, ramp_purpose purpose)
{
    uint64_t whole = purpose == UP ? UP_TIME : DOWN_TIME;
    int32_t from = present();
    uint64_t span = (uint64_t)(to > from ? to - from : from - to);
    uint64_t lasts = whole * span / (uint64_t)highest(from, to);
    if (purpose != UP)
        lasts = within_dose(from, lasts);
#ifdef BUG_STEP_ON_RESUME
    if (t.resuming && purpose == UP)
        lasts = 0;
#endif
    output_ramp(from, to, seen.time, lasts);
    t.purpose = purpose;
    t.state = purpose == UP ? RAMPUP : RAMPDOWN;
}

static void ramp_down(ramp_purpose purpose)
{
    if (t.state == ARMED) {
        switch_off();
        t.state = purpose == TO_PAUSE ? PAUSED : DONE;
    } else {
        begin_ramp(0, purpose);
    }
}

static void close_output(void)
{
    book();
    output_close(t.negative);
    begin_ramp(t.current, UP);
}

static void follow_ramp(void)
{
    if (!output_step(seen.time))
        return;
    if (t.purpose == UP) {
        t.state = HOLD;
    } else {
        switch_off();
        t.state = t.purpose == TO_PAUSE ? PAUSED : DONE;
    }
}

/* ---- protection ---------------------------------------------------------------------------- */

static void protect(void)
{
    const char *fault = protection_judge(seen);
    if (fault)
        latch(fault);
}

static bool battery_low(void)
{
    return measured_supply() < LOW_BATTERY;
}

static bool host_lost(void)
{
    return t.silence > 0 && seen.time > t.heard + t.silence;
}

static void heed_keys(void)
{
    uint32_t keys = board->keys(board->board);
    uint32_t fresh = keys & ~t.pressed;
    t.pressed = keys;
    if ((keys & FIRMWARE_KEY_STOP) && occupied())
        treatment_abort();
    else if (fresh & FIRMWARE_KEY_START)
        (void)treatment_start(); /* refused as any other start */
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* Charge of the ramp down that would begin now. */
static int64_t charge_of_ramp(void)
{
    int64_t from = present();
    return from * from / highest((int32_t)from, 0) * (DOWN_TIME / 1000000u) / 2;
}

static void mind_dose(void)
{
    if ((t.state == HOLD || t.state == RAMPUP) && left_of_dose() - charge_of_ramp() <= ENOUGH)
        ramp_down(TO_DONE);
}

static uint64_t until_dose(void)
{
    int64_t flows = seen.current;
    int64_t left = left_of_dose() - charge_of_ramp();
    if (flows < 1)
        return REST;
    if (left < ENOUGH)
        return 1000;
    return (uint64_t)(left * 1000000 / (flows + flows / WATCH_WINDOW)) + 1;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void sleep_again(void)
{
    uint64_t time = seen.time, wait = REST;
    if (time < t.ready_at)
        wait = smaller(wait, t.ready_at - time);
    if (t.silence > 0 && occupied() && !host_lost())
        wait = smaller(wait, t.heard + t.silence - time + 1);
    if (t.state == ARMED)
        wait = smaller(wait, t.close_at > time ? t.close_at - time : 1);
    if (delivering()) {
        if (protection_suspicious())
            wait = smaller(wait, ALERT_TICK);
        wait = smaller(wait, output_ramps() ? RAMP_TICK : until_dose());
        if (output_ramps())
            wait = smaller(wait, output_ramp_left(time));
        protection_watch(seen, t.state == HOLD);
    } else {
        watch_nothing();
    }
    board->wake_in(board->board, (uint32_t)(wait > 0 ? wait : 1));
}

void treatment_tick(void)
{
#ifdef BUG_HANG_IN_HOLD
    while (t.state == HOLD)
        ;
#endif
    board->kick(board->board);
    look();
    if (board->comparator_tripped(board->board) && t.state != FAULT)
        latch("OVERCURRENT");
    if (t.state == ARMED && seen.time >= t.close_at)
        close_output();
    if (output_ramps())
        follow_ramp();
    if (delivering())
        protect();
    if (occupied() && battery_low())
        latch("SUPPLY");
    if (occupied() && host_lost())
        latch("LINK");
    heed_keys();
    mind_dose();
    sleep_again();
}

/* ---- commands ------------------------------------------------------------------------------ */

static void defaults(void)
{
    t.current = 0;
    t.negative = false;
    t.dose = LARGEST_DOSE;
    t.silence = 0;
}

void treatment_boot(const firmware_port *port)
{
    board = port;
    memset(&t, 0, sizeof t);
    converters_start(port);
    look();
    output_boot(port, seen.time);
    t.state = IDLE;
    t.fault = "NONE";
    protection_forget();
    t.pressed = ~0u; /* a key that is held down while power comes is no press */
    t.ready_at = seen.time + SELF_TEST_TIME;
    defaults();
    port->kick(port->board);
    sleep_again();
}

static int64_t nearest_step(int64_t picoamperes)
{
    return (picoamperes + CURRENT_STEP / 2) / CURRENT_STEP * CURRENT_STEP;
}

static bool is_setting(int64_t picoamperes)
{
    if (picoamperes < SMALLEST_CURRENT - STEP_ERROR || picoamperes > LARGEST_CURRENT + STEP_ERROR)
        return false; /* first: what follows must not overflow */
    int64_t beside = picoamperes - nearest_step(picoamperes);
    return beside >= -STEP_ERROR && beside <= STEP_ERROR;
}

treatment_answer treatment_set_current(int64_t picoamperes)
{
    bool unset = picoamperes == 0 && !delivering() && t.state != ARMED;
    if (t.state == RAMPDOWN)
        return SETTINGS_CONFLICT;
    if (!is_setting(picoamperes) && !unset)
        return OUT_OF_RANGE;
    t.current = (int32_t)(nearest_step(picoamperes) / 1000);
    if (delivering()) {
        look();
        t.resuming = false;
        begin_ramp(t.current, UP);
        sleep_again();
    }
    return ACCEPTED;
}

treatment_answer treatment_set_negative(bool negative)
{
    if (negative != t.negative && occupied())
        return SETTINGS_CONFLICT;
    t.negative = negative;
    return ACCEPTED;
}

treatment_answer treatment_set_dose(int64_t nanocoulombs)
{
    if (occupied())
        return SETTINGS_CONFLICT;
    if (nanocoulombs <= 0 || nanocoulombs > LARGEST_DOSE)
        return OUT_OF_RANGE;
    t.dose = nanocoulombs;
    return ACCEPTED;
}

treatment_answer treatment_set_silence(int64_t micros)
{
    if (micros != 0 && (micros < 1000000 || micros > 3600000000LL))
        return OUT_OF_RANGE;
    t.silence = (uint64_t)micros;
    treatment_heard();
    sleep_again();
    return ACCEPTED;
}

void treatment_heard(void)
{
    t.heard = board->micros(board->board);
}

static treatment_answer energise(bool resuming)
{
    look();
    if (seen.time < t.ready_at || battery_low() || t.current == 0)
        return SETTINGS_CONFLICT;
    if (!converters_calibrated())
        return SELF_TEST_FAILED;
    if ((resuming ? left_of_dose() : left_of_all()) <= ENOUGH)
        return SETTINGS_CONFLICT;
    if (!resuming)
        t.counts = t.lasted = 0;
    t.close_at = output_prepare(t.negative, seen.time);
    t.resuming = resuming;
    t.state = ARMED;
    sleep_again();
    return ACCEPTED;
}

treatment_answer treatment_start(void)
{
    return t.state == IDLE || t.state == DONE ? energise(false) : SETTINGS_CONFLICT;
}

treatment_answer treatment_resume(void)
{
    return t.state == PAUSED ? energise(true) : SETTINGS_CONFLICT;
}

treatment_answer treatment_pause(void)
{
    if (t.state != ARMED && t.state != RAMPUP && t.state != HOLD)
        return SETTINGS_CONFLICT;
    look();
    ramp_down(TO_PAUSE);
    sleep_again();
    return ACCEPTED;
}

void treatment_stop(void)
{
    look();
    if (t.state == RAMPDOWN)
        t.purpose = TO_DONE;
    else if (t.state == PAUSED)
        t.state = DONE;
    else if (occupied())
        ramp_down(TO_DONE);
    sleep_again();
}

void treatment_abort(void)
{
    look();
    switch_off();
    if (t.state != FAULT)
        t.state = IDLE;
    sleep_again();
}

void treatment_acknowledge(void)
{
    if (t.state == FAULT) {
        switch_off();
        board->clear_comparator(board->board);
        t.state = IDLE;
        t.fault = "NONE";
    }
}

void treatment_reset(void)
{
    treatment_abort();
    defaults();
}

treatment_answer treatment_self_test(bool *passed)
{
    if (delivering() || t.state == ARMED)
        return SETTINGS_CONFLICT;
    look();
    bool quiet = seen.voltage < OPEN_VOLTAGE && seen.current < QUIET_CURRENT;
    bool tripped = board->comparator_tripped(board->board);
    *passed = converters_calibrated() && quiet && !tripped && !battery_low();
    return ACCEPTED;
}

treatment_state treatment_state_now(void)
{
    return t.state;
}

const char *treatment_fault(void)
{
    return t.fault;
}

int32_t treatment_measured_current(void)
{
    look();
    return seen.current;
}

int32_t treatment_measured_voltage(void)
{
    look();
    return seen.voltage;
}

bool treatment_limited(void)
{
    look();
    return delivering() && held_back();
}

bool treatment_shorted(void)
{
    look();
    return delivering() && seen.current > QUIET_CURRENT &&
           seen.voltage * 1000000LL / seen.current < SHORT_RESISTANCE;
}

bool treatment_is_negative(void)
{
    return t.negative;
}

int64_t treatment_impedance(void)
{
    look();
    return seen.current < 1000 ? -1 : seen.voltage * 1000000000LL / seen.current;
}
