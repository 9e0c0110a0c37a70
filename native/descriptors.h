/* What the program of a container must not find open. */
#ifndef LXCRI_DESCRIPTORS_H
#define LXCRI_DESCRIPTORS_H

#include <stddef.h>

/*
 * Fills the numbers from first up to last that are free, so that nothing of ours or of LXC's gets one that the program
 * is to keep. They go at execve.
 */
void descriptors_reserve(int first, int last);
/*
 * Closes all descriptors from first up but those of keep (-1: none), which it sorts. They are closed, not only marked:
 * execve looks its path up before it closes any, and /proc/self/fd/N/../.. of a folder of the host leads out of the
 * container (CVE-2024-21626).
 */
void descriptors_close(unsigned int first, int *keep, size_t count);

#endif
