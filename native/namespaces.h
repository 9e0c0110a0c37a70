/* The namespaces of a running container. */
#ifndef LXCRI_NAMESPACES_H
#define LXCRI_NAMESPACES_H

#include <sys/types.h>

/* CLONE_NEW* flags of the namespaces in which process pid differs from this one. */
int namespaces_differing(pid_t pid);

#endif
