#include "proxy_tlv.h"

#include <string.h>

#define SSL_FIXED 5 /* octets of the SSL TLV before its own TLVs (2.2.6) */

enum tlv_type {
	TLV_NONE = 0,
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_UNIQUE_ID = 0x05,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CN = 0x22,
	TLV_SSL_CIPHER = 0x23,
};

enum ssl_client { SSL_SPOKEN = 1, SSL_CERTIFICATE = 2, SSL_CERTIFICATE_BEFORE = 4 };

struct span {
	const unsigned char *at;
	size_t len;
};

struct tlv {
	unsigned char type;
	struct span value;
};

struct reading {
	struct proxy_header *header;
	struct span whole;
	const unsigned char *checksum; /* its four octets in `whole`; NULL: none */
};

/* What is not in here, and not in read_own(), is skipped (2.2). */
static const struct text {
	enum tlv_type within, type;
	size_t offset, size;
} texts[] = {
#define TEXT(within, type, member)                                                                 \
	{                                                                                          \
		within, type, offsetof(struct proxy_header, member),                               \
			sizeof((struct proxy_header *)0)->member                                   \
	}
	TEXT(TLV_NONE, TLV_ALPN, alpn),
	TEXT(TLV_NONE, TLV_AUTHORITY, authority),
	TEXT(TLV_SSL, TLV_SSL_VERSION, ssl_version),
	TEXT(TLV_SSL, TLV_SSL_CN, ssl_common_name),
	TEXT(TLV_SSL, TLV_SSL_CIPHER, ssl_cipher),
};

/* Reflected, polynomial 0x1EDC6F41 (RFC 9260 appendix A). A header a connection: no table needed.
 */
static uint32_t add_crc32c(uint32_t crc, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Over the whole header, with zeros where the checksum itself stands (2.2.3). */
static bool checksum_is_right(const struct reading *r)
{
	static const unsigned char zeros[4];
	const unsigned char *sum = r->checksum, *after = sum + sizeof zeros;
	uint32_t crc = add_crc32c(0xffffffff, r->whole.at, (size_t)(sum - r->whole.at));

	crc = add_crc32c(crc, zeros, sizeof zeros);
	crc = ~add_crc32c(crc, after, r->whole.len - (size_t)(after - r->whole.at));
	return crc ==
	       ((uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3]);
}

static struct span skip(struct span span, size_t n)
{
	return (struct span){span.at + n, span.len - n};
}

static bool next_tlv(struct span *rest, struct tlv *tlv)
{
	size_t length;

	if (rest->len < 3)
		return false;
	tlv->type = rest->at[0];
	length = (size_t)rest->at[1] << 8 | rest->at[2];
	*rest = skip(*rest, 3);
	if (length > rest->len)
		return false;
	tlv->value = (struct span){rest->at, length};
	*rest = skip(*rest, length);
	return true;
}

static const char *read_text(enum tlv_type within, const struct tlv *tlv,
			     struct proxy_header *header)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char *to = (char *)header + texts[i].offset;

		if (texts[i].within != within || texts[i].type != tlv->type)
			continue;
		if (tlv->value.len >= texts[i].size)
			return "a TLV is too long";
		/* "bank.example\0.attacker.example": one name for us, another for the balancer. */
		if (memchr(tlv->value.at, '\0', tlv->value.len))
			return "a NUL in a TLV";
		memcpy(to, tlv->value.at, tlv->value.len);
		to[tlv->value.len] = '\0';
	}
	return NULL;
}

static const char *read_ssl(struct span value, struct proxy_header *header)
{
	struct tlv tlv;
	const char *fault;
	unsigned char client;

	if (value.len < SSL_FIXED)
		return "the SSL TLV is truncated";
	client = value.at[0];
	header->ssl = client & SSL_SPOKEN;
	/* The result is 0 for "verified", and from some senders for "there was none" too. */
	header->ssl_verified = header->ssl && client & (SSL_CERTIFICATE | SSL_CERTIFICATE_BEFORE) &&
			       !value.at[1] && !value.at[2] && !value.at[3] && !value.at[4];
	value = skip(value, SSL_FIXED);
	while (value.len) {
		if (!next_tlv(&value, &tlv))
			return "a TLV in the SSL TLV is truncated";
		fault = read_text(TLV_SSL, &tlv, header);
		if (fault)
			return fault;
	}
	return NULL;
}

static const char *read_own(struct reading *r, const struct tlv *tlv)
{
	switch (tlv->type) {
	case TLV_CRC32C:
		if (tlv->value.len != 4 || r->checksum)
			return "not one checksum of four octets";
		r->checksum = tlv->value.at;
		return NULL;
	case TLV_UNIQUE_ID:
		if (tlv->value.len > PROXY_UNIQUE_MAX)
			return "a TLV is too long";
		memcpy(r->header->unique_id, tlv->value.at, tlv->value.len);
		r->header->unique_id_len = tlv->value.len;
		return NULL;
	case TLV_SSL:
		return read_ssl(tlv->value, r->header);
	default:
		return read_text(TLV_NONE, tlv, r->header);
	}
}

const char *proxy_tlv_read(const unsigned char *data, size_t len, size_t at,
			   struct proxy_header *header)
{
	struct reading r = {.header = header, .whole = {data, len}};
	struct span rest = skip(r.whole, at);
	struct tlv tlv;
	const char *fault;

	while (rest.len) {
		if (!next_tlv(&rest, &tlv))
			return "a TLV is truncated";
		fault = read_own(&r, &tlv);
		if (fault)
			return fault;
	}
	return r.checksum && !checksum_is_right(&r) ? "the checksum is wrong" : NULL;
}
