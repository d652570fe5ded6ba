// What may be an account (SPEC 1). Texts arrive as well-formed UTF-8 without NUL: the dispatcher
// has checked that. Letters and digits are ASCII's here, so that no locale changes a rule.

#include "services/user/account.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <string.h>

enum {
    EMAIL_MAX = 254,
    EMAIL_LOCAL_MAX = 64,
    EMAIL_LABEL_MAX = 63,
    PASSWORD_MIN = 8,
    PASSWORD_MAX_BYTES = 1024,
    NAME_MIN = 2,
    NAME_MAX = 50,
};

static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char DIGITS[] = "0123456789";
static const char PASSWORD_SIGNS[] = "@$!%*?&";
static const char LOCAL_SIGNS[] = "!#$%&'*+/=?^_`{|}~-"; // RFC 5322 atext

// Names that would pass for the shop itself.
static const char *const RESERVED[] = {"admin", "root", "system"};

// Characters of a text: never NUL, which strchr would find.
static bool is_alphanumeric(char c)
{
    return strchr(LETTERS, c) || strchr(DIGITS, c);
}

static bool is_local_char(char c)
{
    return is_alphanumeric(c) || strchr(LOCAL_SIGNS, c);
}

static bool is_domain_char(char c)
{
    return is_alphanumeric(c) || c == '-';
}

// Parts of 1 to part_max allowed characters, with single dots between them; the number of parts, or
// 0 if it is anything else.
static size_t count_dotted_parts(const char *text, size_t length, bool (*allowed)(char),
                                 size_t part_max)
{
    size_t parts = 1;
    size_t part = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.') {
            if (part == 0)
                return 0;
            parts++;
            part = 0;
        } else if (!allowed(text[i]) || ++part > part_max) {
            return 0;
        }
    }
    return part == 0 ? 0 : parts;
}

static bool is_domain(const char *domain)
{
    size_t length = strlen(domain);
    if (count_dotted_parts(domain, length, is_domain_char, EMAIL_LABEL_MAX) < 2)
        return false;
    return domain[0] != '-' && domain[length - 1] != '-' && !strstr(domain, ".-") &&
           !strstr(domain, "-.");
}

struct status account_check_email(const char *email)
{
    const char *at = strchr(email, '@');
    size_t local = at ? (size_t)(at - email) : 0;
    bool good = at && strlen(email) <= EMAIL_MAX && local <= EMAIL_LOCAL_MAX &&
                count_dotted_parts(email, local, is_local_char, EMAIL_LOCAL_MAX) > 0 &&
                is_domain(at + 1);
    if (!good)
        return invalid("email", "this is not an e-mail address");
    return OK;
}

struct status account_check_password(const char *password)
{
    if (text_length_utf8(password) < PASSWORD_MIN || strlen(password) > PASSWORD_MAX_BYTES)
        return invalid("password", "a password has 8 to 1,024 characters");
    if (!strpbrk(password, LETTERS))
        return invalid("password", "a password contains a letter");
    if (!strpbrk(password, DIGITS))
        return invalid("password", "a password contains a digit");
    if (!strpbrk(password, PASSWORD_SIGNS))
        return invalid("password", "a password contains one of @$!%*?&");
    return OK;
}

// C0 and DEL, and C1, which UTF-8 writes as C2 80..9F.
static bool has_control_characters(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7F)
            return true;
        if (*c == 0xC2 && c[1] >= 0x80 && c[1] <= 0x9F)
            return true;
    }
    return false;
}

struct status account_check_name(const char *name)
{
    size_t length = text_length_utf8(name);
    if (length < NAME_MIN || length > NAME_MAX)
        return invalid("name", "a name has 2 to 50 characters");
    if (has_control_characters(name))
        return invalid("name", "a name has no control characters");
    for (size_t i = 0; i < COUNT(RESERVED); i++)
        if (strcasestr(name, RESERVED[i]))
            return invalid("name", "a name does not contain admin, root or system");
    return OK;
}

char *account_email_key(struct arena *arena, const char *email)
{
    char *key = text_copy(arena, email);
    for (char *c = key; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return key;
}

const char *account_role_name(enum account_role role)
{
    return role == ROLE_ADMIN ? "ADMIN" : "USER";
}

enum account_role account_role_parse(const char *name)
{
    return strcmp(name, "ADMIN") == 0 ? ROLE_ADMIN : ROLE_USER;
}
