/* The user's program: where it is, and becoming it. */
#ifndef LXCRI_PROGRAM_H
#define LXCRI_PROGRAM_H

#include "plan.h"

/* How callers know that it is the program that could not be started. */
#define CANNOT_START "unable to start container process: "

/* The file to execute, looked up in the container's PATH; dies with the texts that runc's callers match. */
const char *program_find(struct plan process);
/* Executes `file`; returns only on failure, with errno set. What is open then goes at execve (descriptors.h). */
void program_execute(struct plan process, const char *file);
/* The error of a failed execve, in the words that callers match. */
_Noreturn void program_failed(const char *file, int number);

#endif
