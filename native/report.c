#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sink = STDERR_FILENO;
static void (*through)(char letter, const char *text);
static void (*last_act)(void);

void report_to(int fd)
{
	sink = fd;
	through = NULL;
}

void report_through(void (*show)(char letter, const char *text))
{
	through = show;
}

void report_at_death(void (*act)(void))
{
	last_act = act;
}

const char *error_text(int number)
{
	static char text[128];
	snprintf(text, sizeof text, "%s", strerror(number));
	if (text[0] && !isupper((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

int report(char letter, const char *text)
{
	char message[MESSAGE_MAX];
	int length = snprintf(message, sizeof message, "%c%s", letter, text);
	if (length >= (int)sizeof message - 1)
		length = sizeof message - 2;
	for (int i = 0; i < length; i++)
		if (message[i] == '\n' || message[i] == '\r')
			message[i] = ' ';
	if (through) {
		message[length] = '\0';
		through(letter, message + 1);
		return length;
	}
	message[length++] = '\n';
	return (int)write(sink, message, (size_t)length);
}

static void vreport(char letter, int number, const char *format, va_list args)
{
	char text[MESSAGE_MAX - 2];
	int length = vsnprintf(text, sizeof text, format, args);
	if (number && length >= 0 && length < (int)sizeof text)
		snprintf(text + length, sizeof text - (size_t)length, ": %s", error_text(number));
	report(letter, text);
}

static _Noreturn void end(void)
{
	if (last_act)
		last_act();
	_exit(1);
}

void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vreport('E', 0, format, args);
	va_end(args);
	end();
}

void die_errno(const char *format, ...)
{
	int number = errno;
	va_list args;
	va_start(args, format);
	vreport('E', number, format, args);
	va_end(args);
	end();
}

void warn(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vreport('W', 0, format, args);
	va_end(args);
}
