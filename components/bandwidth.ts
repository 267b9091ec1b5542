/**
 * The part of rclone's `--bwlimit` that this project takes. rclone itself takes more: `08:00` alone is a rate up and
 * none down there, and a week of mistakes goes by before anybody sees it.
 */
const size = "(off|(0|[1-9][0-9]{0,8})(\\.[0-9]{1,3})?([BKMGTPbkmgtp]|[KMGTPkmgtp]i|[KMGTPkmgtp]iB)?)";
const rate = `${size}(:${size})?`;
const time = "((Mon|Tue|Wed|Thu|Fri|Sat|Sun)-)?([01][0-9]|2[0-3]):[0-5][0-9]";

/** A rate, `10M` or `10M:1M` (up:down), or rates by time: `08:00,512k 19:00,10M`, `Mon-08:00,512k Sat-00:00,off`. */
export const bandwidthForm = new RegExp(`^(${rate}|${time},${rate}( ${time},${rate})*)$`);
