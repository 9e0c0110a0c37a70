#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "report.h"

/* What is wrong with the next record, which is taken; NULL for nothing. */
static const char *take(struct plan *plan, struct record *record)
{
	uint32_t length;
	size_t left = (size_t)(plan->end - plan->at);
	if (left < sizeof length)
		return "cut short";
	memcpy(&length, plan->at, sizeof length);
	const char *key = plan->at + sizeof length;
	left -= sizeof length;
	size_t key_size = strnlen(key, left) + 1;
	if (key_size > left || left - key_size < (size_t)length + 1 || key[key_size + length] != '\0')
		return "malformed record";
	record->key = key;
	record->value = key + key_size;
	record->length = length;
	plan->at = record->value + length + 1;
	return NULL;
}

bool plan_next(struct plan *plan, struct record *record)
{
	if (plan->at >= plan->end)
		return false;
	const char *fault = take(plan, record);
	if (fault)
		die("plan: %s", fault);
	return true;
}

bool plan_find(struct plan *plan, const char *key, struct record *record)
{
	while (plan_next(plan, record))
		if (!strcmp(record->key, key))
			return true;
	return false;
}

const char *plan_get(struct plan plan, const char *key)
{
	struct record record;
	return plan_find(&plan, key, &record) ? record.value : NULL;
}

int64_t plan_number(struct plan plan, const char *key, int64_t fallback)
{
	const char *text = plan_get(plan, key);
	return text ? strtoll(text, NULL, 0) : fallback;
}

uint64_t plan_unsigned(struct plan plan, const char *key, uint64_t fallback)
{
	const char *text = plan_get(plan, key);
	return text ? strtoull(text, NULL, 0) : fallback;
}

size_t plan_count(struct plan plan, const char *key)
{
	struct record record;
	size_t count = 0;
	while (plan_find(&plan, key, &record))
		count++;
	return count;
}

char **plan_list(struct plan plan, const char *key)
{
	char **list = calloc(plan_count(plan, key) + 2, sizeof *list);
	if (!list)
		die("out of memory");
	struct record record;
	for (size_t i = 0; plan_find(&plan, key, &record); i++)
		list[i] = (char *)record.value;
	return list;
}

struct plan plan_nested(struct record record)
{
	return (struct plan){ record.value, record.value + record.length };
}

const char *plan_map(int fd, struct plan *plan)
{
	struct stat info;
	struct record record;
	if (fstat(fd, &info))
		return error_text(errno);
	if (info.st_size == 0)
		return "empty";
	const char *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_text(errno);
	*plan = (struct plan){ data, data + info.st_size };
	for (struct plan rest = *plan; rest.at < rest.end;) {
		const char *fault = take(&rest, &record);
		if (fault)
			return fault;
	}
	return NULL;
}

struct plan plan_load(int fd)
{
	struct plan plan;
	const char *fault = plan_map(fd, &plan);
	if (fault)
		die("plan: %s", fault);
	return plan;
}
