// RFC 3339, both ways, over the proleptic Gregorian calendar. The C library's conversions take the
// time zone's lock at each call; this arithmetic takes none. Days are counted from 1970-01-01, in
// eras of 400 years that begin on 1 March, so that the leap day comes last.

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    DAYS_PER_ERA = 146097,
    DAYS_TO_1970 = 719468, // from 0000-03-01
    SECONDS_PER_DAY = 86400,
};

struct civil {
    int64_t year;
    int64_t month; // 1 to 12
    int64_t day;   // 1 to 31
};

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(struct civil date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct civil civil_from_days(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = floor_divide(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct civil){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

char *text_from_time(struct arena *arena, int64_t time_us)
{
    int64_t seconds = floor_divide(time_us, US_PER_S);
    int64_t micros = (time_us % US_PER_S + US_PER_S) % US_PER_S;
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
    int64_t second_of_day = seconds - days * SECONDS_PER_DAY;
    struct civil date = civil_from_days(days);

    char fraction[16] = "";
    if (micros) {
        int length = snprintf(fraction, sizeof(fraction), ".%06d", (int)micros);
        while (fraction[length - 1] == '0')
            fraction[--length] = '\0';
    }
    return text_printf(arena, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld%sZ", (long long)date.year,
                       (long long)date.month, (long long)date.day,
                       (long long)(second_of_day / 3600), (long long)(second_of_day / 60 % 60),
                       (long long)(second_of_day % 60), fraction);
}

// Reads exactly `width` digits whose number is inside [min, max] and moves on.
static bool read_number(const char **at, int width, int64_t min, int64_t max, int64_t *number)
{
    int64_t value = 0;
    for (int i = 0; i < width; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += width;
    *number = value;
    return value >= min && value <= max;
}

static bool read_one_of(const char **at, const char *accepted)
{
    if (!**at || !strchr(accepted, **at))
        return false;
    (*at)++;
    return true;
}

static bool read_date(const char **at, int64_t *days)
{
    struct civil date;
    if (!read_number(at, 4, 0, 9999, &date.year) || !read_one_of(at, "-") ||
        !read_number(at, 2, 1, 12, &date.month) || !read_one_of(at, "-") ||
        !read_number(at, 2, 1, days_in_month(date.year, date.month), &date.day))
        return false;
    *days = days_from_civil(date);
    return true;
}

// ".5" -> 500,000; digits beyond the sixth are cut off. No point: 0.
static bool read_fraction(const char **at, int64_t *micros)
{
    *micros = 0;
    if (!read_one_of(at, "."))
        return true;
    const char *first = *at;
    int64_t unit = US_PER_S / 10;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *micros += (**at - '0') * unit;
    return *at > first;
}

// "Z" or "+09:00", in seconds east of UTC.
static bool read_offset(const char **at, int64_t *seconds)
{
    *seconds = 0;
    if (read_one_of(at, "Zz"))
        return true;
    int64_t hours, minutes;
    int64_t sign = **at == '-' ? -1 : 1;
    if (!read_one_of(at, "+-") || !read_number(at, 2, 0, 23, &hours) || !read_one_of(at, ":") ||
        !read_number(at, 2, 0, 59, &minutes))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool text_parse_time(const char *text, int64_t *time_us)
{
    const char *at = text;
    int64_t days, hour = 0, minute = 0, second = 0, micros = 0, offset = 0;
    if (!read_date(&at, &days))
        return false;
    // A leap second (60) counts as the first second of the next minute.
    if (*at && (!read_one_of(&at, "Tt ") || !read_number(&at, 2, 0, 23, &hour) ||
                !read_one_of(&at, ":") || !read_number(&at, 2, 0, 59, &minute) ||
                !read_one_of(&at, ":") || !read_number(&at, 2, 0, 60, &second) ||
                !read_fraction(&at, &micros) || !read_offset(&at, &offset) || *at))
        return false;
    int64_t seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    *time_us = seconds * US_PER_S + micros;
    return true;
}
