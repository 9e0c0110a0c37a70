#include "errorlog.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

static const char *log_path;
static bool log_json;

static void put_json(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < ' ' || *at == 0x7f)
			fprintf(out, "\\u%04x", *at);
		else
			fputc(*at, out);
	}
	fputc('"', out);
}

/* One write: lines of several writers do not mix. A log that cannot be written fails nothing. */
static void append(const char *line, size_t size)
{
	int fd = log_path ? open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : STDERR_FILENO;
	if (fd < 0 || write(fd, line, size) != (ssize_t)size)
		dprintf(STDERR_FILENO, "%s", line);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* As telemetry/log.ts writes, and commands/program.ts says errors again for who looks at standard error. */
static void show(char letter, const char *text)
{
	bool error = letter == 'E', plain = !log_path && !log_json;
	if (plain || (error && log_path))
		dprintf(STDERR_FILENO, "proxmox-lxcri: %s%s\n", error ? "" : "warning: ", text);
	if (plain)
		return;
	const char *level = error ? "error" : "warning";
	char line[6 * MESSAGE_MAX + 128], when[64];
	time_t now = time(NULL);
	struct tm utc;
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	FILE *out = fmemopen(line, sizeof line, "w");
	if (!out)
		return;
	if (log_json) {
		fprintf(out, "{\"level\":\"%s\",\"msg\":", level);
		put_json(out, text);
		fprintf(out, ",\"time\":\"%s\"}\n", when);
	} else {
		fprintf(out, "time=\"%s\" level=%s msg=", when, level);
		put_json(out, text);
		fputc('\n', out);
	}
	long size = ftell(out);
	fclose(out);
	if (size > 0)
		append(line, (size_t)size);
}

void errorlog_open(struct plan plan)
{
	const char *format = plan_get(plan, "log-format");
	errorlog_use(plan_get(plan, "log"), format && !strcmp(format, "json"));
}

void errorlog_use(const char *path, bool json)
{
	log_path = path;
	log_json = json;
	report_through(show);
}
