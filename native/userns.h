/* User namespaces that exist only for their id mapping. */
#ifndef LXCRI_USERNS_H
#define LXCRI_USERNS_H

#include "plan.h"

/* Makes a user namespace with the plan's mapping lines ("container host size", one value a line) and opens it. */
int userns_make(struct plan plan, const char *uid_key, const char *gid_key);

#endif
