from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class DataGrade(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_GRADE_UNSPECIFIED: _ClassVar[DataGrade]
    DATA_GRADE_L1: _ClassVar[DataGrade]
    DATA_GRADE_L2: _ClassVar[DataGrade]
    DATA_GRADE_L3: _ClassVar[DataGrade]
    DATA_GRADE_L4: _ClassVar[DataGrade]
    DATA_GRADE_L5: _ClassVar[DataGrade]
DATA_GRADE_UNSPECIFIED: DataGrade
DATA_GRADE_L1: DataGrade
DATA_GRADE_L2: DataGrade
DATA_GRADE_L3: DataGrade
DATA_GRADE_L4: DataGrade
DATA_GRADE_L5: DataGrade
