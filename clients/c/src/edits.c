#include <gatepost/verdict.h>

#include "protocol/edit.h"

#define SAME(name) _Static_assert((int)GATEPOST_##name == (int)EDIT_##name, "as protocol/edit.h")
SAME(ADD_HEADER);
SAME(REPLACE_HEADER);
SAME(DELETE_HEADER);
SAME(SET_SENDER);
SAME(ADD_RECIPIENT);
SAME(DROP_RECIPIENT);

struct gatepost_edit gatepost_add_header(const char *name, const char *value)
{
	return (struct gatepost_edit){.kind = GATEPOST_ADD_HEADER, .name = name, .value = value};
}

struct gatepost_edit gatepost_replace_header(const char *name, unsigned nth, const char *value)
{
	return (struct gatepost_edit){
		.kind = GATEPOST_REPLACE_HEADER, .name = name, .nth = nth, .value = value};
}

struct gatepost_edit gatepost_delete_header(const char *name, unsigned nth)
{
	return (struct gatepost_edit){.kind = GATEPOST_DELETE_HEADER, .name = name, .nth = nth};
}

struct gatepost_edit gatepost_set_sender(const char *address)
{
	return (struct gatepost_edit){.kind = GATEPOST_SET_SENDER, .value = address};
}

struct gatepost_edit gatepost_add_recipient(const char *address)
{
	return (struct gatepost_edit){.kind = GATEPOST_ADD_RECIPIENT, .value = address};
}

struct gatepost_edit gatepost_drop_recipient(size_t i)
{
	/* A place beyond what fits stays one that no message has. */
	return (struct gatepost_edit){.kind = GATEPOST_DROP_RECIPIENT,
				      .nth = i < 1000000000 ? (unsigned)i + 1 : 1000000000};
}
