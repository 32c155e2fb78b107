from chainrule.compiler.llvm.writer import Reg, Writer, llvm_type
from chainrule.graph.types import *
import struct
class Arithmetic(Writer):
    def const(self, value, dtype, lanes=1):
        if dtype.is_float:
            t = "0x%016X" % struct.unpack("<Q", struct.pack("<d", float(value)))[0]
        elif dtype==bool_: t = "true" if value else "false"
        else: t=str(int(value))
        r=Reg(t,dtype,1)
        return r if lanes==1 else self.splat(r,lanes)
    def splat(self, r, lanes):
        if lanes==1: return r
        k=llvm_type(r.dtype,lanes)
        a=self.op(f"insertelement {k} poison, {r.type} {r}, i64 0", r.dtype, lanes)
        return self.op(f"shufflevector {k} {a}, {k} poison, <{lanes} x i32> zeroinitializer", r.dtype, lanes)
    def _b(self, f, i, a, b):
        return self.op(f"{f if a.dtype.is_float else i} {a.type} {a}, {b}", a.dtype, a.lanes)
    def add(self,a,b): return self._b("fadd","add",a,b)
    def subtract(self,a,b): return self._b("fsub","sub",a,b)
    def multiply(self,a,b): return self._b("fmul","mul",a,b)
    def divide(self,a,b): return self._b("fdiv","sdiv",a,b)
    def lshr(self,a,b): return self._b("","lshr",a,b)
    def fma(self,a,b,c):
        if not self.target.has_fma: return self.add(self.multiply(a,b),c)
        n=("v%d"%a.lanes if a.lanes>1 else "")+"f%d"%a.dtype.bits
        self.declare(f"declare {a.type} @llvm.fma.{n}({a.type}, {a.type}, {a.type})")
        return self.op(f"call {a.type} @llvm.fma.{n}({a.type} {a}, {a.type} {b}, {a.type} {c})", a.dtype,a.lanes)
    def select(self,c,a,b): return self.op(f"select {c.type} {c}, {a.type} {a}, {b.type} {b}", a.dtype,a.lanes)
    def less(self,a,b): return self.op(f"{'fcmp olt' if a.dtype.is_float else 'icmp slt'} {a.type} {a}, {b}", bool_, a.lanes)
    def logical_and(self,a,b): return self._b("","and",a,b)
    def relu(self,x): z=self.const(0,x.dtype,x.lanes); return self.select(self.less(x,z),z,x)
    def maximum(self,a,b): return self.select(self.less(a,b),b,a)
    def sqrt(self,a):
        n=("v%d"%a.lanes if a.lanes>1 else "")+"f%d"%a.dtype.bits
        self.declare(f"declare {a.type} @llvm.sqrt.{n}({a.type})")
        return self.op(f"call {a.type} @llvm.sqrt.{n}({a.type} {a})", a.dtype,a.lanes)
    def cast(self,x,d):
        if x.dtype==d: return x
        t=llvm_type(d,x.lanes)
        if x.dtype==bool_ : o="uitofp" if d.is_float else "zext"
        elif not x.dtype.is_float and d.is_float: o="uitofp" if x.dtype.kind=="uint" else "sitofp"
        elif not x.dtype.is_float: o="trunc" if d.bits<x.dtype.bits else ("zext" if x.dtype.kind=="uint" else "sext")
        else: o="fptosi"
        return self.op(f"{o} {x.type} {x} to {t}", d, x.lanes)
    def iota(self,d,lanes): return Reg("<"+", ".join(f"{llvm_type(d)} {i}" for i in range(lanes))+">", d, lanes)
    def reduce_lanes(self, f, r):
        n=r.lanes
        while n>1:
            n//=2
            k=r.type
            lo=self.op(f"shufflevector {k} {r}, {k} poison, <{n} x i32> <"+", ".join(f"i32 {i}" for i in range(n))+">", r.dtype,n)
            hi=self.op(f"shufflevector {k} {r}, {k} poison, <{n} x i32> <"+", ".join(f"i32 {i+n}" for i in range(n))+">", r.dtype,n)
            if n==1:
                lo=self.op(f"extractelement <1 x {llvm_type(r.dtype)}> {lo}, i64 0" if False else f"extractelement {k} {r}, i64 0", r.dtype); hi=self.op(f"extractelement {k} {r}, i64 1", r.dtype)
            r=f(self,lo,hi)
        return r
