/* quick_json: reads the plain kind of JSON several times faster than jansson does, which takes 1.7
 * us for a short reply. A message asks up to nine questions and should cost some 30 us in all.
 *
 * Plain is what both ends of a channel write nearly always: printable ASCII without escapes,
 * integers of at most 15 digits without a sign, no real numbers. This reader never says that a
 * line is wrong: what is not plain, or not good, is for jansson, whose word counts. */
#ifndef PROTOCOL_QUICK_JSON_H
#define PROTOCOL_QUICK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* The object, as jansson would have read it, at most STRICT_JSON_DEPTH_MAX deep and with no key
 * twice; to be given back with json_decref(). NULL: ask jansson. */
struct json_t *quick_json_object(const char *line, size_t len);
/* True for exactly {"type":"reply","id":N,"verdict":"accept"} with an N of at most 15 digits: what
 * nearly every reply is. False: read it as JSON. */
bool quick_json_is_accept(const char *line, size_t len, uint64_t *id);

#endif
