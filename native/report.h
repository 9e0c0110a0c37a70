/*
 * What a process of this program tells its caller. A message is one letter and a text, ended by a newline:
 * E error, W warning; create.h has the others. It goes to one descriptor: a packet socket, a FIFO or a file.
 */
#ifndef LXCRI_REPORT_H
#define LXCRI_REPORT_H

#define MESSAGE_MAX 4096

/* Sends this process's messages to fd from now on; until then they go to standard error. */
void report_to(int fd);
/* Hands this process's messages to a function instead. */
void report_through(void (*show)(char letter, const char *text));
/* What is run when this process dies of an error, before it ends; NULL for nothing. */
void report_at_death(void (*act)(void));
/* Reports an error and ends the process with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with ": " and the text of errno (first letter small, as Go's runtimes print it). */
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Sends one message as it is, without descriptors. Returns as send(2). */
int report(char letter, const char *text);
/* Text of an error number, first letter small. */
const char *error_text(int number);

#endif
