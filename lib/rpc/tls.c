#include "lib/rpc/tls.h"

#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX *identity; // NULL without certificates; set once, before there are threads

static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

// Nothing is resumed: a peer proves itself at each connection. The name is asked of both sides.
static SSL_CTX *make_context(const char *name)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context)
        abort();
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), name, 0);
    return context;
}

static bool load_certificate(SSL_CTX *context, const char *path)
{
    return SSL_CTX_use_certificate_chain_file(context, path) == 1;
}

// After the certificate: OpenSSL refuses a key that is not its own.
static bool load_key(SSL_CTX *context, const char *path)
{
    return SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
}

static bool load_authority(SSL_CTX *context, const char *path)
{
    return SSL_CTX_load_verify_locations(context, path, NULL) == 1;
}

static const struct part {
    const char *setting;
    size_t offset; // of the path
    bool (*load)(SSL_CTX *context, const char *path);
    const char *expected;
} parts[] = {
    {"BARO_TLS_CERT", offsetof(struct tls_files, certificate), load_certificate, "a certificate"},
    {"BARO_TLS_KEY",  offsetof(struct tls_files, key),         load_key,
     "the certificate's key, without a passphrase"                                              },
    {"BARO_TLS_CA",   offsetof(struct tls_files, authority),   load_authority,   "certificates" },
};

static const char *path_of(const struct tls_files *files, const struct part *part)
{
    const char *path = *(const char *const *)(const void *)((const char *)files + part->offset);
    return path ? path : "";
}

static struct status load(SSL_CTX *context, const struct tls_files *files, struct arena *arena)
{
    for (size_t i = 0; i < COUNT(parts); i++) {
        const char *path = path_of(files, &parts[i]), *setting = parts[i].setting;
        if (!*path)
            return invalid(setting, "certificate, key and authority come together");
        if (access(path, R_OK) != 0)
            return invalid(setting, text_printf(arena, "\"%s\" cannot be read", path));
        if (!parts[i].load(context, path))
            return invalid(setting, text_printf(arena, "\"%s\" is no PEM file with %s", path,
                                                parts[i].expected));
    }
    return OK;
}

// What is in use, which is not what lies in the file by now.
static void show_end(const SSL_CTX *context)
{
    struct metric *end = metrics_gauge(
        "baro_tls_expires_seconds", "Unix time at which the own certificate ends; 0: none.", NULL);
    struct tm tm;
    if (context && ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &tm) == 1)
        metric_set(end, timegm(&tm));
}

struct status tls_prepare(const struct tls_files *files, struct arena *arena)
{
    bool wanted = false;
    for (size_t i = 0; i < COUNT(parts); i++)
        wanted = wanted || *path_of(files, &parts[i]);
    show_end(NULL);
    if (!wanted)
        return OK;
    if (!files->name || !*files->name)
        return invalid("BARO_TLS_NAME", "it is empty, but peers must be asked for a name");
    SSL_CTX *context = make_context(files->name);
    struct status st = load(context, files, arena);
    ERR_clear_error();
    if (failed(st))
        SSL_CTX_free(context);
    else {
        identity = context;
        show_end(context);
    }
    return st;
}

bool tls_is_on(void)
{
    return identity != NULL;
}

SSL *tls_open(int fd, bool accepting)
{
    SSL *ssl = SSL_new(identity);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        abort();
    if (accepting)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

const char *tls_problem(SSL *ssl)
{
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK)
        return X509_verify_cert_error_string(verdict);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "the peer hung up";
}
