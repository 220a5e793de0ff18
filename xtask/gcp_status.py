"""The errors and the checksums of Google's APIs, for the fakes: https://google.aip.dev/193."""

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


def crc32c(data, table=[]):
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Refusal(Exception):
    def __init__(self, status, message="", reason=None, http=None):
        super().__init__(message)
        self.http = http or HTTP[status]
        details = []
        if reason:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            details.append({"@type": kind, "reason": reason, "domain": "googleapis.com"})
        error = {"code": self.http, "message": message, "status": status, "details": details}
        self.body = {"error": error}


def require(holds, message):
    if not holds:
        raise Refusal("INVALID_ARGUMENT", message)
