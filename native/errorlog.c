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

static void show(char letter, const char *text)
{
	const char *level = letter == 'E' ? "error" : "warning";
	dprintf(STDERR_FILENO, "proxmox-lxcri: %s%s\n", letter == 'E' ? "" : "warning: ", text);
	if (!log_path)
		return;
	char line[2 * MESSAGE_MAX + 128], when[64];
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
	int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	/* One write: lines of several writers do not mix. A log that cannot be written fails nothing. */
	if (fd >= 0 && size > 0 && write(fd, line, (size_t)size) != size)
		dprintf(STDERR_FILENO, "proxmox-lxcri: warning: cannot write %s\n", log_path);
	if (fd >= 0)
		close(fd);
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
