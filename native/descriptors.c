#include "descriptors.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"

void descriptors_reserve(int first, int last)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		die_errno("open /dev/null");
	for (int fd = first; fd <= last; fd++)
		/* The limit of their number ends it. */
		if (fcntl(fd, F_GETFD) < 0 && dup3(null, fd, O_CLOEXEC) < 0)
			break;
	if (null < first || null > last)
		close(null);
}

static int ascending(const void *one, const void *other)
{
	int a = *(const int *)one, b = *(const int *)other;
	return (a > b) - (a < b);
}

static void close_between(unsigned int first, unsigned int last)
{
	if (first <= last && syscall(SYS_close_range, first, last, 0))
		die_errno("close descriptors %u to %u", first, last);
}

void descriptors_close(unsigned int first, int *keep, size_t count)
{
	qsort(keep, count, sizeof *keep, ascending);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < 0 || (unsigned int)keep[i] < first)
			continue;
		if (keep[i] > 0)
			close_between(first, (unsigned int)keep[i] - 1);
		first = (unsigned int)keep[i] + 1;
	}
	close_between(first, ~0u);
}
