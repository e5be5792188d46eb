"""Connections of PyMySQL that read results with less work.

A server describes the columns of each result anew, and PyMySQL needs longer for that than for a row. Here
a connection knows descriptions that it has read before by their bytes, and a value is read in one step.
"""

from collections import defaultdict
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

import pymysql
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import COMMAND, CR, SERVER_STATUS
from pymysql.err import OperationalError
from pymysql.protocol import NULL_COLUMN

# By the first byte of a value: how many bytes of its length follow.
_BYTES_OF_LENGTH = {252: 2, 253: 3, 254: 8}
_END_OF_COLUMNS_BYTES = 9
# Before each packet: three bytes of its length, and its number.
_HEADER_BYTES = 4
# The first byte of an answer without rows, and the last one that tells the number of columns.
_FIRST_OF_OK = 0
_LAST_OF_COLUMNS = 250
# What follows the numbers of an answer without rows: the status, and the number of warnings.
_END_OF_OK = Struct("<HH")
_LEAST_OK_BYTES = 7
# A packet that begins with this byte or a higher one is the end of the rows, an error, or a row of 16 MiB.
_FIRST_OF_NO_ROW = _FIRST_OF_END = 254
# The end of the rows: that byte, the number of warnings, and the status.
_END = Struct("<BHH")
# Of as many columns. Statements have their own; a connection runs few that are worth it.
_MOST_KNOWN = 16


class _Columns(NamedTuple):
    received: bytes
    fields: list[Any]
    converters: list[tuple[str | None, Callable[[Any], Any] | None]]
    description: tuple[Any, ...]


class LeanConnection(Connection):  # type: ignore[misc]  # it has no types
    """It depends on internals of PyMySQL, whose version is pinned; tests compare what both read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # By their number, those read last at the end.
        self.known_columns: defaultdict[int, list[_Columns]] = defaultdict(list)
        self._has_just_ended_transaction = False
        super().__init__(*arguments, **options)

    def commit(self) -> None:
        self._execute_command(COMMAND.COM_QUERY, "COMMIT")
        self._read_query_result()
        if self._result and self._result.field_count:
            self._force_close()
            raise OperationalError(CR.CR_COMMANDS_OUT_OF_SYNC, "These are rows, not the answer to COMMIT.")
        self._has_just_ended_transaction = True

    def rollback(self) -> None:
        """A pool calls it after each use; there is nothing to undo after a COMMIT that succeeded."""
        if not self._has_just_ended_transaction:
            super().rollback()
            self._has_just_ended_transaction = True

    def _execute_command(self, command: int, sql: Any) -> None:
        self._has_just_ended_transaction = False
        super()._execute_command(command, sql)

    def escape(self, value: Any, mapping: Any = None) -> str:
        if type(value) is int:  # most values are, and a subclass may have a conversion of its own
            return str(value)
        return super().escape(value, mapping)  # type: ignore[no-any-return]

    @property
    def has_limit_of_reads(self) -> bool:
        """Whether its socket has the time limit that the next read sets."""
        return bool(self._current_timeout == self._read_timeout)

    def arrived(self) -> bytes:
        """What is there to read, or will be next, without taking it."""
        try:
            return bytes(self._rfile.peek())
        except OSError:
            return b""  # reading it raises the error that callers expect

    @property
    def next_packet(self) -> int:
        """Its number."""
        return self._next_seq_id

    def skip(self, size: int, *, packets: int) -> None:
        self._rfile.read(size)
        self._next_seq_id: int = (self._next_seq_id + packets) % 256

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self._result = None
        result = _LeanResult(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            self._read(result)
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows

    def _read(self, result: "_LeanResult") -> None:
        try:
            result.read()
        except pymysql.Error:
            raise  # the server's, which ends a result, or that of a connection that is closed already
        except BaseException:
            # The next statement would read what is left of this result.
            self._force_close()
            raise


class _LeanResult(MySQLResult):  # type: ignore[misc]  # it has no types
    connection: Any

    def read(self) -> None:
        """Takes the first packet as it has arrived; PyMySQL reads the others, and those that raise errors."""
        connection: LeanConnection = self.connection
        arrived = connection.arrived() if connection.has_limit_of_reads else b""
        size = int.from_bytes(arrived[: _HEADER_BYTES - 1], "little")
        end = _HEADER_BYTES + size
        is_next = _HEADER_BYTES < end <= len(arrived) and arrived[_HEADER_BYTES - 1] == connection.next_packet
        first = arrived[_HEADER_BYTES] if is_next else _FIRST_OF_NO_ROW
        if first == _FIRST_OF_OK and size >= _LEAST_OK_BYTES:
            connection.skip(end, packets=1)
            self._take_ok(arrived[_HEADER_BYTES + 1 : end])
        elif _FIRST_OF_OK < first <= _LAST_OF_COLUMNS and size == 1:
            connection.skip(end, packets=1)
            self.field_count = first
            self._get_descriptions()
            self._read_rowdata_packet()
        else:
            super().read()
        # As PyMySQL does, since the connection refers to this result.
        self.connection = None

    def _take_ok(self, data: bytes) -> None:
        self.affected_rows, position = _number(data, 0)
        self.insert_id, position = _number(data, position)
        self.server_status, self.warning_count = _END_OF_OK.unpack_from(data, position)
        self.message = data[position + _END_OF_OK.size :]
        self.has_next = self.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS

    def _get_descriptions(self) -> None:
        arrived = self.connection.arrived()
        known = self.connection.known_columns[self.field_count]
        for columns in reversed(known):
            if arrived.startswith(columns.received):
                self.connection.skip(len(columns.received), packets=self.field_count + 1)
                _, self.fields, self.converters, self.description = columns
                return
        super()._get_descriptions()
        size = sum(4 + len(each.get_all_data()) for each in self.fields) + _END_OF_COLUMNS_BYTES
        if size <= len(arrived):
            # Python makes an integer of ASCII bytes, too.
            self.converters = [
                (None if convert is int else encoding, convert) for encoding, convert in self.converters
            ]
            known.append(_Columns(arrived[:size], self.fields, self.converters, self.description))
            del known[:-_MOST_KNOWN]

    def _read_rowdata_packet(self) -> None:
        rows: list[tuple[Any, ...]] = []
        while not self._take_arrived(rows):
            # One of which a part has arrived, the end, or an error, which this raises.
            packet = self.connection._read_packet()  # noqa: SLF001 - as PyMySQL does
            if self._check_packet_is_eof(packet):
                break
            rows.append(self._row(packet.get_all_data()))
        self.affected_rows = len(rows)
        self.rows = tuple(rows)

    def _take_arrived(self, rows: list[tuple[Any, ...]]) -> bool:
        """Adds the next rows, as far as they have arrived, without an object for each; whether they end."""
        arrived, position = self.connection.arrived(), 0
        first = number = self.connection.next_packet
        is_end = False
        while position + _HEADER_BYTES < len(arrived) and not is_end:
            begin = position + _HEADER_BYTES
            end = begin + int.from_bytes(arrived[position : begin - 1], "little")
            if end > len(arrived) or arrived[begin - 1] != number % 256:
                break
            if arrived[begin] < _FIRST_OF_NO_ROW:
                rows.append(self._row(arrived[begin:end]))
            elif arrived[begin] == _FIRST_OF_END and end - begin == _END.size:
                _, self.warning_count, status = _END.unpack_from(arrived, begin)
                self.has_next = status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS
                is_end = True
            else:
                break
            position, number = end, number + 1
        self.connection.skip(position, packets=number - first)
        return is_end

    def _read_row_from_packet(self, packet: Any) -> tuple[Any, ...]:
        return self._row(packet.get_all_data())

    def _row(self, data: bytes) -> tuple[Any, ...]:
        position = 0
        row: list[Any] = []
        for encoding, convert in self.converters:
            length = data[position]
            position += 1
            if length == NULL_COLUMN:
                row.append(None)
                continue
            if length > NULL_COLUMN:
                length, position = _number(data, position - 1)
            value: Any = data[position : position + length]
            position += length
            if encoding is not None:
                value = value.decode(encoding)
            row.append(value if convert is None else convert(value))
        return tuple(row)


def _number(data: bytes, position: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    first = data[position]
    begin = position + 1
    if first < NULL_COLUMN:
        return first, begin
    end = begin + _BYTES_OF_LENGTH[first]
    return int.from_bytes(data[begin:end], "little"), end
