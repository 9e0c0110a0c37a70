/* Signal dispositions and masks of a program that we start. */
#ifndef LXCRI_SIGNALS_H
#define LXCRI_SIGNALS_H

/* All signals to their defaults, none blocked. */
void signals_reset(void);

#endif
