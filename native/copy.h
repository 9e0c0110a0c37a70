/* Copies a directory's content: what tmpcopyup puts into a fresh tmpfs. */
#ifndef LXCRI_COPY_H
#define LXCRI_COPY_H

/* Copies all below directory `from` into directory `to`, with owners, modes and times; -1 and errno on failure. */
int copy_tree(int from, int to);

#endif
