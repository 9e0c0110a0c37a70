/*
 * The plan: what the TypeScript side decided, for this program to do.
 *
 * A plan is a sequence of records; a record is a 32-bit value length (host order), the key as a C string, the
 * value, and a NUL, so that every value can be used in place as a C string. Repeated keys are lists; a value may
 * itself be a plan. src/lxc/plan.ts writes it and lists the keys.
 */
#ifndef LXCRI_PLAN_H
#define LXCRI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan {
	const char *at;
	const char *end;
};

struct record {
	const char *key;
	const char *value;
	size_t length;
};

/* Maps the plan that descriptor fd holds; dies when it is malformed. */
struct plan plan_load(int fd);
/* The same; what is wrong with it, or NULL. */
const char *plan_map(int fd, struct plan *plan);
/* Takes the next record; false at the end. */
bool plan_next(struct plan *plan, struct record *record);
/* Takes the next record with this key; false at the end. */
bool plan_find(struct plan *plan, const char *key, struct record *record);
/* First value of the key, or NULL. */
const char *plan_get(struct plan plan, const char *key);
/* First value of the key as a number, or fallback. */
int64_t plan_number(struct plan plan, const char *key, int64_t fallback);
/* First value of the key as an unsigned number (decimal or 0x…), or fallback. */
uint64_t plan_unsigned(struct plan plan, const char *key, uint64_t fallback);
size_t plan_count(struct plan plan, const char *key);
/* All values of the key as a NULL-terminated vector, with room for one more before the NULL. */
char **plan_list(struct plan plan, const char *key);
/* The record's value as a plan. */
struct plan plan_nested(struct record record);

#endif
