#include "listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "message.h"

void listener_send(struct plan plan, pid_t pid, const char *status, int listener)
{
	const char *path = plan_get(plan, "listener-path"), *metadata = plan_get(plan, "listener-metadata");
	char *document = NULL;
	/* The metadata is a JSON string already; `state` is the rest of an object with its closing brace. */
	int length = asprintf(&document,
			      "{\"ociVersion\":\"%s\",\"fds\":[\"seccompFd\"],\"pid\":%d%s%s,"
			      "\"state\":{\"pid\":%d,\"status\":\"%s\",%s}",
			      plan_get(plan, "oci-version"), pid, metadata ? ",\"metadata\":" : "",
			      metadata ? metadata : "", (int)plan_number(plan, "pid", pid), status,
			      plan_get(plan, "state"));
	if (length < 0)
		die("out of memory");
	int agent = message_connect(path, "seccomp listener");
	if (message_send(agent, document[0], document + 1, listener))
		die_errno("seccomp listener %s: send", path);
	free(document);
	close(agent);
}
