#include "signals.h"

#include <signal.h>
#include <stddef.h>

void signals_reset(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	for (int number = 1; number <= SIGRTMAX; number++)
		sigaction(number, &standard, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
