#include "console.h"

#include "decimal.h"
#include "figures.h"
#include "message.h"
#include "reply.h"
#include "treatment.h"


/* ---- parameters ---------------------------------------------------------------------------- */

/* Power of ten of a suffix of current. MA is a milliampere: only MHZ and MOHM are mega. */
static bool ampere_suffix(slice suffix, int32_t *power)
{
    static const struct {
        const char *text;
        int32_t power;
    } known[] = {{"", 0}, {"A", 0}, {"MA", -3}, {"UA", -6}, {"NA", -9}};
    for (uint32_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_word(suffix, known[i].text)) {
            *power = known[i].power;
            return true;
        }
    return false;
}

/* Read a number and what stands behind it; 0 or the error. */
static int read_number(slice parameter, decimal *number, slice *suffix)
{
    uint32_t used = 0;
    decimal_answer answer = decimal_read(parameter.text, parameter.length, number, &used);
    if (answer == NO_NUMBER)
        return -104;
    if (answer == EXPONENT_TOO_LARGE)
        return -123;
    *suffix = trimmed((slice){parameter.text + used, parameter.length - used});
    return 0;
}

static int set_current(slice parameter)
{
    decimal number;
    slice suffix;
    int32_t power = 0;
    int error = read_number(parameter, &number, &suffix);
    if (error)
        return error;
    if (!ampere_suffix(suffix, &power))
        return -131;
    return treatment_set_current(decimal_scaled(&number, 12 + power));
}

static int set_dose(slice parameter)
{
    decimal number;
    slice suffix;
    int error = read_number(parameter, &number, &suffix);
    if (error)
        return error;
    if (suffix.length > 0)
        return -138;
    int64_t dose = decimal_scaled(&number, 9); /* nA*min: 0.06 nC */
    if (dose > LARGEST_DOSE * 100)
        return OUT_OF_RANGE;
    return treatment_set_dose(dose > 0 ? (dose * 6 + 50) / 100 : dose);
}

static int set_polarity(slice parameter)
{
    decimal number;
    slice suffix;
    bool negative = is_word(parameter, "NEGative");
    if (!negative && !is_word(parameter, "POSitive"))
        return read_number(parameter, &number, &suffix) ? -224 : -104;
    return treatment_set_negative(negative);
}

static int set_silence(slice parameter)
{
    decimal number;
    slice suffix;
    int error = read_number(parameter, &number, &suffix);
    if (error)
        return error;
    if (suffix.length > 0 && !is_word(suffix, "S"))
        return -131;
    return treatment_set_silence(decimal_scaled(&number, 6));
}

/* ---- queries ------------------------------------------------------------------------------- */

static const firmware_port *board;

static int identity(void)
{
    uint8_t serial[FIRMWARE_SERIAL_SIZE];
    uint32_t length = 0, count;
    count = board->read_memory(board->board, FIRMWARE_SERIAL_ADDRESS, serial, FIRMWARE_SERIAL_SIZE);
    while (length < count && serial[length] > ' ' && serial[length] < 0x7F)
        length++;
    reply_text("Stimproof,Reference Ionto,");
    reply_bytes(length ? (const char *)serial : "0", length ? length : 1);
    reply_text(",C-1.0");
    return 0;
}

static int state(void)
{
    static const char *const words[] = {"IDLE",   "ARMED",    "RAMPUP", "HOLD",
                                        "PAUSED", "RAMPDOWN", "DONE",   "FAULT"};
    reply_text(words[treatment_state_now()]);
    return 0;
}

static int fault(void)
{
    reply_text(treatment_fault());
    return 0;
}

static int current(void)
{
    reply_number(treatment_measured_current(), -9);
    return 0;
}

static int voltage(void)
{
    reply_number(treatment_measured_voltage(), -3);
    return 0;
}

static int polarity(void)
{
    reply_text(treatment_is_negative() ? "NEG" : "POS");
    return 0;
}

static int limited(void)
{
    reply_text(treatment_limited() ? "1" : "0");
    return 0;
}

static int shorted(void)
{
    reply_text(treatment_shorted() ? "1" : "0");
    return 0;
}

static int lasted(void)
{
    reply_number((int64_t)treatment_lasted(), -6);
    return 0;
}

static int charge(void)
{
    reply_number((treatment_charge() * 100 + 3) / 6, -9); /* 0.06 nC are 1 nA*min */
    return 0;
}

static int impedance(void)
{
    int64_t milliohms = treatment_impedance();
    if (milliohms < 0)
        reply_number(99, 36); /* the infinity of SCPI-99 */
    else
        reply_number(milliohms, -3);
    return 0;
}

static int self_test(void)
{
    bool passed = false;
    int error = treatment_self_test(&passed);
    if (!error)
        reply_text(passed ? "0" : "1");
    return error;
}

static int next_error(void)
{
    reply_error();
    return 0;
}

/* ---- commands ------------------------------------------------------------------------------ */

static int start(void) { return treatment_start(); }
static int resume(void) { return treatment_resume(); }
static int pause_it(void) { return treatment_pause(); }

static int stop(void)
{
    treatment_stop();
    return 0;
}

static int abort_it(void)
{
    treatment_abort();
    return 0;
}

static int acknowledge(void)
{
    treatment_acknowledge();
    return 0;
}

static int reset(void)
{
    treatment_reset();
    return 0;
}

static int clear(void)
{
    clear_errors();
    return 0;
}

static const struct command {
    const char *header;
    int (*obey)(void);
    int (*set)(slice parameter);
} commands[] = {
    {"SOURce:CURRent", NULL, set_current},
    {"SOURce:POLarity", NULL, set_polarity},
    {"SOURce:DOSE", NULL, set_dose},
    {"SYSTem:COMMunicate:TIMeout", NULL, set_silence},
    {"OUTPut:LIMited?", limited, NULL},
    {"OUTPut:SHORt?", shorted, NULL},
    {"TREATment:STARt", start, NULL},
    {"TREATment:PAUSe", pause_it, NULL},
    {"TREATment:RESume", resume, NULL},
    {"TREATment:STOP", stop, NULL},
    {"TREATment:ABORt", abort_it, NULL},
    {"TREATment:STATe?", state, NULL},
    {"TREATment:POLarity?", polarity, NULL},
    {"TREATment:TIME?", lasted, NULL},
    {"FAULt:ACKNowledge", acknowledge, NULL},
    {"FAULt:CODE?", fault, NULL},
    {"MEASure:CURRent?", current, NULL},
    {"MEASure:VOLTage?", voltage, NULL},
    {"MEASure:CHARge?", charge, NULL},
    {"MEASure:IMPedance?", impedance, NULL},
    {"SYSTem:ERRor?", next_error, NULL},
    {"*IDN?", identity, NULL},
    {"*TST?", self_test, NULL},
    {"*RST", reset, NULL},
    {"*CLS", clear, NULL},
};

static const struct command *find(slice header)
{
    for (uint32_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is_header(header, commands[i].header))
            return &commands[i];
    return NULL;
}

/* ---- messages ------------------------------------------------------------------------------ */

static int answer(const struct command *command)
{
    uint32_t before = reply_length();
    if (before > 0)
        reply_text(";");
    uint32_t begin = reply_length();
    int error = command->obey();
    if (reply_length() == begin)
        reply_cut(before);
    return error;
}

static int dispatch(slice header, slice parameter)
{
    const struct command *command = find(header);
    if (command == NULL)
        return -113;
    if (command->obey)
        return parameter.length > 0 ? -108 : answer(command);
    if (parameter.length == 0)
        return -109;
    if (until(parameter.text, parameter.length, ',') < parameter.length)
        return -108;
    return command->set(parameter);
}

/* A command error ends the message, a refusal does not. */
static bool obey(slice header, slice parameter)
{
    int error = dispatch(header, parameter);
    if (error)
        report_error(error);
    return error == 0 || error <= -200;
}

void console_boot(const firmware_port *port)
{
    board = port;
    clear_errors();
}

uint32_t console_receive(const char *text, uint32_t length, char *reply, uint32_t capacity)
{
    for (uint32_t i = 0; i < length; i++)
        if ((unsigned char)text[i] > 0x7F) {
            report_error(-101);
            return 0;
        }
    treatment_heard();
    reply_begin(reply, capacity);
    obey_message(text, length, obey);
    return reply_end();
}
